#include "model/regular_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "h5bridge/error.h"
#include "model/did_you_mean.h"

namespace h5bridge {

RegularFile::RegularFile(const std::string& path)
    : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) {
    const int error = errno;
    if (path.empty()) throw SystemFailure("the name of a file is empty");
    throw SystemFailure(path + ": " + std::strerror(error) + (error == ENOENT ? did_you_mean_file(path) : ""));
  }
  const bool known = ::fstat(descriptor_, &status_) == 0;
  if (known && S_ISREG(status_.st_mode)) return;
  const std::string reason = !known                     ? std::strerror(errno)
                             : S_ISDIR(status_.st_mode) ? "is a directory"
                                                        : "is not a regular file";
  ::close(descriptor_);
  throw SystemFailure(path + ": " + reason);
}

RegularFile::~RegularFile() { ::close(descriptor_); }

}  // namespace h5bridge
