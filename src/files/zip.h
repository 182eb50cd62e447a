// Zip archives: the container of torch.save, .npz, .keras and .pt2. Only this code knows the format.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "h5bridge/byte_source.h"

namespace h5bridge {

/// One file in an archive, as the central directory describes it; checked against its local header.
struct ZipEntry {
  std::string name;
  std::uint64_t size = 0;  // of the content
  std::uint64_t stored_size = 0;
  std::uint64_t data_offset = 0;
  std::uint32_t crc32 = 0;
  bool deflated = false;
};

/// Whether a file begins as a zip archive does; says nothing about the rest of it.
bool looks_like_zip(const ByteSource& file);

/// Reads archives with stored and deflated entries, with or without zip64.
class ZipReader {
 public:
  /// Reads the directory, not the content. Throws MalformedFile for a truncated archive, entries that overlap, leave
  /// the file or share a name, local headers that contradict the directory, and sizes that only a zip bomb declares;
  /// Unsupported for encryption, several disks and other compression methods.
  explicit ZipReader(ByteSourcePtr file);

  /// Of the whole archive, in bytes.
  std::uint64_t size() const { return file_->size(); }
  /// In the order of the directory.
  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// The entry of that full name, or nullptr. Lives as long as the reader.
  const ZipEntry* find(std::string_view name) const;

  /// The content without reading it now: a part of the file where it is stored, otherwise inflated when first read (and
  /// kept). Its checksum is compared when all of it has been read (files/crc_checked.h), unless it is 0, which
  /// torch.save writes where it is told to take none, or the file is mapped.
  ByteSourcePtr open(const ZipEntry& entry) const;
  /// The content, its checksum verified unless the archive has none (0 for every entry). Throws MalformedFile if it
  /// differs.
  std::vector<std::byte> read(const ZipEntry& entry) const;

 private:
  bool has_checksums_ = true;
  ByteSourcePtr file_;
  std::vector<ZipEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// Tensors whose bytes are in an archive keep it open.
using ZipReaderPtr = std::shared_ptr<const ZipReader>;

/// Writes an archive of stored entries to a stream, front to back, with every entry's content aligned to 64 bytes, as
/// torch.save does. Memory is bounded by the directory. A failed write throws SystemFailure.
class ZipWriter {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;

  /// `out` must be at the beginning of the file and outlive the writer.
  explicit ZipWriter(std::ostream& out) : out_(out) {}

  /// Adds an entry of `size` bytes; `produce` hands them to the sink in as many pieces as it likes. Throws
  /// std::logic_error if it hands over another number of bytes.
  void add(const std::string& name, std::uint64_t size, const std::function<void(const Sink&)>& produce);
  void add(const std::string& name, std::string_view content);
  struct Content {
    std::uint64_t size = 0;
    std::uint32_t crc32 = 0;
  };
  /// Adds an entry that `write` puts into the file itself, from the offset on that it is told (a multiple of 64), and
  /// says what that is. The stream is flushed before.
  void add_in_place(const std::string& name, const std::function<Content(std::uint64_t offset)>& write);
  /// Writes the directory. Nothing may be added afterwards.
  void finish();

  struct Written {
    std::string name;
    std::uint64_t size = 0;
    std::uint64_t header_offset = 0;
    std::uint32_t crc32 = 0;
    bool is_known = false;  // size and checksum, when its header is written
  };
  /// The entries so far.
  const std::vector<Written>& entries() const { return entries_; }

 private:
  void put(std::string_view bytes);

  std::ostream& out_;
  std::uint64_t position_ = 0;
  std::vector<Written> entries_;
};

}  // namespace h5bridge
