// Files mapped into memory, so that their bytes are used where they lie.
#pragma once

#include <cstddef>
#include <string>

#include "h5bridge/byte_source.h"

namespace h5bridge {

/// Bytes of a mapped file, and what part_of makes of them.
class MappedBytes final : public ByteSource {
 public:
  MappedBytes(std::shared_ptr<std::byte> begin, std::uint64_t size) : begin_(std::move(begin)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  /// Valid as long as this is. Whatever is written there stays with this process, and never reaches the file.
  std::byte* data() const { return begin_.get(); }
  /// `size` bytes from `offset` on, which are all there.
  ByteSourcePtr part(std::uint64_t offset, std::uint64_t size) const;

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override;

 private:
  std::shared_ptr<std::byte> begin_;  // keeps the map
  std::uint64_t size_;
};

/// The bytes of the file at `path`, mapped. Nothing is read until it is used, and what is used in place takes no memory
/// of the process's own. WHOEVER TRUNCATES THE FILE MEANWHILE KILLS THE PROCESS (SIGBUS), and whoever writes it again
/// in place changes the numbers. Throws SystemFailure if it cannot be opened or mapped, or is no regular file.
ByteSourcePtr map_file(const std::string& path);

}  // namespace h5bridge
