#include "model/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

// A map of `size` bytes of the file from `offset` on, which need not be a page's beginning.
std::shared_ptr<std::byte> mapped(const RegularFile& file, std::uint64_t offset, std::uint64_t size, int protection) {
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t before = offset % page;
  const auto length = static_cast<std::size_t>(before + size);
  void* begin = ::mmap(nullptr, length, protection, MAP_PRIVATE | MAP_NORESERVE, file.descriptor(),
                       static_cast<off_t>(offset - before));
  if (begin == MAP_FAILED) throw SystemFailure(std::string("cannot be mapped: ") + std::strerror(errno));
  const std::shared_ptr<std::byte> pages(static_cast<std::byte*>(begin),
                                         [length](std::byte* first) { ::munmap(first, length); });
  return {pages, pages.get() + before};
}

}  // namespace

MappedBytes::MappedBytes(std::shared_ptr<const RegularFile> file)
    : file_(std::move(file)), begin_(mapped(*file_, 0, file_->size(), PROT_READ)), size_(file_->size()) {}

MappedBytes::MappedBytes(const MappedBytes& whole, std::uint64_t offset, std::uint64_t size)
    : file_(whole.file_),
      begin_(whole.begin_, whole.begin_.get() + offset),
      offset_(whole.offset_ + offset),
      size_(size) {}

ByteSourcePtr MappedBytes::part(std::uint64_t offset, std::uint64_t size) const {
  return ByteSourcePtr(new MappedBytes(*this, offset, size));
}

std::shared_ptr<std::byte> MappedBytes::to_write(std::uint64_t offset, std::uint64_t size) const {
  return mapped(*file_, offset_ + offset, size, PROT_READ | PROT_WRITE);
}

void MappedBytes::read_range(std::uint64_t offset, std::span<std::byte> into) const {
  std::copy_n(begin_.get() + offset, into.size(), into.data());
}

ByteSourcePtr map_file(const std::string& path) {
  auto file = std::make_shared<const RegularFile>(path);
  if (file->size() == 0) return bytes_in_memory({});
  try {
    return std::make_shared<MappedBytes>(std::move(file));
  } catch (const SystemFailure& error) {
    throw SystemFailure(path + ": " + error.what());
  }
}

}  // namespace h5bridge
