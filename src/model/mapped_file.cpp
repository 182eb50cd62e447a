#include "model/mapped_file.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "h5bridge/error.h"
#include "model/regular_file.h"

namespace h5bridge {
ByteSourcePtr MappedBytes::part(std::uint64_t offset, std::uint64_t size) const {
  return std::make_shared<MappedBytes>(std::shared_ptr<std::byte>(begin_, begin_.get() + offset), size);
}

void MappedBytes::read_range(std::uint64_t offset, std::span<std::byte> into) const {
  std::copy_n(begin_.get() + offset, into.size(), into.data());
}

ByteSourcePtr map_file(const std::string& path) {
  const RegularFile file(path);
  const auto size = static_cast<std::size_t>(file.size());
  if (size == 0) return bytes_in_memory({});
  // Writable, since LibTorch may train what it is given; private, so that the file stays as it is.
  void* begin = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.descriptor(), 0);
  if (begin == MAP_FAILED) throw SystemFailure(path + ": cannot be mapped: " + std::strerror(errno));
  const std::shared_ptr<std::byte> bytes(static_cast<std::byte*>(begin),
                                         [size](std::byte* mapped) { ::munmap(mapped, size); });
  return std::make_shared<MappedBytes>(bytes, size);
}

}  // namespace h5bridge
