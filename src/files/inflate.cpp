#include "files/inflate.h"

#include <libdeflate.h>

#include <memory>
#include <mutex>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

struct FreeDecompressor {
  void operator()(libdeflate_decompressor* decompressor) const { libdeflate_free_decompressor(decompressor); }
};

/// Whether all of `source` inflates to exactly as many bytes as `into` has.
bool inflate_exactly(const ByteSource& source, std::span<std::byte> into) {
  const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> decompressor(libdeflate_alloc_decompressor());
  if (!decompressor) throw SystemFailure("memory does not suffice for inflating");
  const std::vector<std::byte> deflated = read_all(source);
  std::size_t consumed = 0;
  std::size_t produced = 0;
  const libdeflate_result result = libdeflate_deflate_decompress_ex(
      decompressor.get(), deflated.data(), deflated.size(), into.data(), into.size(), &consumed, &produced);
  return result == LIBDEFLATE_SUCCESS && consumed == deflated.size() && produced == into.size();
}

class Inflated final : public ByteSource {
 public:
  Inflated(ByteSourcePtr deflated, std::uint64_t size, std::uint32_t crc32, std::string name)
      : deflated_(std::move(deflated)), size_(size), crc32_(crc32), name_(std::move(name)) {}
  std::uint64_t size() const override { return size_; }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    const std::lock_guard lock(mutex_);
    if (!content_) content_ = inflate_all();
    content_->read_at(offset, into);
  }

 private:
  ByteSourcePtr inflate_all() const {
    std::vector<std::byte> content(size_);
    if (!inflate_exactly(*deflated_, content))
      throw MalformedFile("zip: entry '" + name_ + "': its deflated content is damaged, or not the " +
                          std::to_string(size_) + " bytes declared");
    if (checksum(content) != crc32_)
      throw MalformedFile("zip: entry '" + name_ + "': its checksum is wrong (damaged?)");
    return bytes_in_memory(std::move(content));
  }

  ByteSourcePtr deflated_;
  std::uint64_t size_;
  std::uint32_t crc32_;
  std::string name_;
  mutable std::mutex mutex_;
  mutable ByteSourcePtr content_;
};

}  // namespace

std::uint32_t checksum(std::span<const std::byte> bytes, std::uint32_t before) {
  return libdeflate_crc32(before, bytes.data(), bytes.size());
}

ByteSourcePtr inflate_when_read(ByteSourcePtr deflated, std::uint64_t size, std::uint32_t crc32, std::string name) {
  return std::make_shared<Inflated>(std::move(deflated), size, crc32, std::move(name));
}

}  // namespace h5bridge
