#include "convert/replacement.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "convert/temporaries.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

[[noreturn]] void fail(const std::string& path) { throw SystemFailure(path + ": " + std::strerror(errno)); }

// What was written must be on disk before the old file is gone.
void flush(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(path);
  const bool done = ::fsync(descriptor) == 0;
  const int error = errno;
  ::close(descriptor);
  errno = error;
  if (!done) fail(path);
}

// The file that a path leads to, through links: that is the one to replace.
std::string resolved(const std::string& path) {
  std::error_code error;
  const std::filesystem::path result = std::filesystem::weakly_canonical(path, error);
  return error ? path : result.string();
}

}  // namespace

Replacement::~Replacement() {
  for (const Pending& pending : pending_) {
    ::unlink(pending.temporary.c_str());
    forget_temporary(pending.temporary);
  }
}

std::string Replacement::temporary_for(const std::string& path) {
  const std::string destination = resolved(path);
  for (const Pending& pending : pending_)
    if (pending.destination == destination) throw UsageError(path + ": is named twice as a destination");
  struct stat status{};
  const bool exists = ::stat(destination.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) throw SystemFailure(path + ": is a directory");
  if (exists && !S_ISREG(status.st_mode)) throw SystemFailure(path + ": is not a regular file");
  std::string temporary = destination + ".XXXXXX";
  const auto undisturbed = keep_temporaries();  // what is made is noted
  const int descriptor = ::mkstemp(temporary.data());
  if (descriptor < 0 && errno == ENOENT)
    throw SystemFailure(path + ": there is no folder " + std::filesystem::path(destination).parent_path().string());
  if (descriptor < 0) fail(path);
  note_temporary(temporary);
  pending_.push_back({temporary, destination});
  // mkstemp's files are private; the result is what the umask, or the file that is replaced, says.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  const bool changed = ::fchmod(descriptor, exists ? status.st_mode & 07777 : 0666 & ~mask) == 0;
  ::close(descriptor);
  if (!changed) fail(path);
  return temporary;
}

void Replacement::commit() {
  for (const Pending& pending : pending_) flush(pending.temporary);
  const auto undisturbed = keep_temporaries();
  while (!pending_.empty()) {
    if (std::rename(pending_.back().temporary.c_str(), pending_.back().destination.c_str()) != 0)
      fail(pending_.back().destination);
    forget_temporary(pending_.back().temporary);
    pending_.pop_back();
  }
}

}  // namespace h5bridge
