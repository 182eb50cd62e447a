#include "model/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (number_ < 0) refuse_file(path, errno);
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

}  // namespace

ByteSourcePtr MappedBytes::part(std::uint64_t offset, std::uint64_t size) const {
  return std::make_shared<MappedBytes>(std::shared_ptr<std::byte>(begin_, begin_.get() + offset), size);
}

void MappedBytes::read_range(std::uint64_t offset, std::span<std::byte> into) const {
  std::copy_n(begin_.get() + offset, into.size(), into.data());
}

ByteSourcePtr map_file(const std::string& path) {
  const Descriptor file(path);
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) throw SystemFailure(path + ": " + std::strerror(errno));
  if (S_ISDIR(status.st_mode)) throw SystemFailure(path + ": is a directory");
  if (!S_ISREG(status.st_mode)) throw SystemFailure(path + ": is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return bytes_in_memory({});
  // Writable, since LibTorch may train what it is given; private, so that the file stays as it is.
  void* begin = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.number(), 0);
  if (begin == MAP_FAILED) throw SystemFailure(path + ": cannot be mapped: " + std::strerror(errno));
  const std::shared_ptr<std::byte> bytes(static_cast<std::byte*>(begin),
                                         [size](std::byte* mapped) { ::munmap(mapped, size); });
  return std::make_shared<MappedBytes>(bytes, size);
}

}  // namespace h5bridge
