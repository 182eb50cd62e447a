// Files mapped into memory, so that their bytes are used where they lie.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "h5bridge/byte_source.h"
#include "model/regular_file.h"

namespace h5bridge {

/// Bytes of a mapped file, and what part_of makes of them.
class MappedBytes final : public ByteSource {
 public:
  /// All bytes of `file`. Throws SystemFailure.
  explicit MappedBytes(std::shared_ptr<const RegularFile> file);
  std::uint64_t size() const override { return size_; }
  /// Whether what lies at `offset` will, in memory, lie at a multiple of `alignment`, which divides a page.
  bool is_aligned(std::uint64_t offset, std::uint64_t alignment) const { return (offset_ + offset) % alignment == 0; }
  /// `size` bytes from `offset` on, which are all there, in a map of their own that may be written to: what is written
  /// stays with whoever has it, and reaches neither the file nor anybody else. Throws SystemFailure.
  std::shared_ptr<std::byte> to_write(std::uint64_t offset, std::uint64_t size) const;
  /// `size` bytes from `offset` on, which are all there.
  ByteSourcePtr part(std::uint64_t offset, std::uint64_t size) const;

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override;

 private:
  MappedBytes(const MappedBytes& whole, std::uint64_t offset, std::uint64_t size);

  std::shared_ptr<const RegularFile> file_;
  std::shared_ptr<const std::byte> begin_;  // keeps the map
  std::uint64_t offset_ = 0;                // in the file
  std::uint64_t size_;
};

/// The bytes of the file at `path`, mapped. Nothing is read until it is used, and what is used in place takes no memory
/// of the process's own. WHOEVER TRUNCATES THE FILE MEANWHILE KILLS THE PROCESS (SIGBUS), and whoever writes it again
/// in place changes the numbers. Throws SystemFailure if it cannot be opened or mapped, or is no regular file.
ByteSourcePtr map_file(const std::string& path);

}  // namespace h5bridge
