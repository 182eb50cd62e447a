// Where bytes come from: a file, a part of one, memory. Tensors hold a byte source, so that weights stay on disk until
// somebody reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace h5bridge {

/// Immutable bytes that can be read at any place. Reading from several threads at once is allowed.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills `into` from `offset` on. A range that leaves [0, size()) and a short read throw MalformedFile.
  void read_at(std::uint64_t offset, std::span<std::byte> into) const;

 protected:
  /// Called by read_at with a range inside [0, size()).
  virtual void read_range(std::uint64_t offset, std::span<std::byte> into) const = 0;
};

using ByteSourcePtr = std::shared_ptr<const ByteSource>;

/// The bytes of the file at `path`, read with pread, never mapped: a file truncated under a map kills the process.
/// Throws SystemFailure if it cannot be opened, or is no regular file.
ByteSourcePtr open_file(const std::string& path);

/// Bytes in memory, owned by the source.
ByteSourcePtr bytes_in_memory(std::vector<std::byte> bytes);

/// The `size` bytes of `whole` from `offset` on. Throws MalformedFile if they are not all there, UsageError for a null
/// pointer.
ByteSourcePtr part_of(ByteSourcePtr whole, std::uint64_t offset, std::uint64_t size);

/// All bytes of `source`, read into memory. Throws SystemFailure where that does not suffice.
std::vector<std::byte> read_all(const ByteSource& source);

}  // namespace h5bridge
