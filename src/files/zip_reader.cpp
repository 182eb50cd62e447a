#include <algorithm>
#include <optional>

#include "files/crc_checked.h"
#include "files/inflate.h"
#include "files/little_endian.h"
#include "files/zip.h"
#include "files/zip_format.h"
#include "h5bridge/error.h"
#include "model/mapped_file.h"
#include "model/work_counts.h"

namespace h5bridge {
namespace {

using namespace zip;

// Deflate cannot do better than 1032 to 1, so a larger claim is a lie; and an archive that inflates to gigabytes at
// more than 100 to 1 holds nothing that anybody trained.
constexpr std::uint64_t kLargestRatio = 1032;
constexpr std::uint64_t kSuspiciousRatio = 100;
constexpr std::uint64_t kSuspiciousSize = std::uint64_t{1} << 30;
constexpr std::uint64_t kLargestComment = 0xffff;
constexpr std::uint64_t kLargestDirectory = std::uint64_t{1} << 29;

/// A record of the format: fields are taken from the front, and one that is not all there is an error.
class Fields {
 public:
  Fields(std::span<const std::byte> bytes, const char* record) : bytes_(bytes), record_(record) {}

  template <std::unsigned_integral T>
  T take() {
    return load_little_endian<T>(take_bytes(sizeof(T)));
  }
  std::span<const std::byte> take_bytes(std::size_t count) {
    if (count > bytes_.size()) throw MalformedFile(std::string("zip: truncated ") + record_);
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  void skip(std::size_t count) { take_bytes(count); }
  bool empty() const { return bytes_.empty(); }

 private:
  std::span<const std::byte> bytes_;
  const char* record_;
};

std::vector<std::byte> read_range(const ByteSource& file, std::uint64_t offset, std::uint64_t size) {
  std::vector<std::byte> bytes(size);
  file.read_at(offset, bytes);
  return bytes;
}

/// Where the central directory is, and how many entries it has.
struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t count = 0;
  std::uint64_t end = 0;  // of the bytes that it may take
};

/// Follows the zip64 locator before the end record at `end`, if there is one.
std::optional<Directory> find_zip64_directory(const ByteSource& file, std::uint64_t end) {
  if (end < kZip64LocatorSize) return std::nullopt;
  const auto locator_bytes = read_range(file, end - kZip64LocatorSize, kZip64LocatorSize);
  Fields locator(locator_bytes, "zip64 locator");
  if (locator.take<std::uint32_t>() != kZip64LocatorSignature) return std::nullopt;
  locator.skip(4);
  const auto offset = locator.take<std::uint64_t>();
  if (locator.take<std::uint32_t>() > 1) throw Unsupported("zip: the archive is split over several disks");
  if (offset > end - kZip64LocatorSize || end - kZip64LocatorSize - offset < kZip64EndSize)
    throw MalformedFile("zip: the zip64 end record lies at byte " + std::to_string(offset) + ", outside of the file");

  const auto bytes = read_range(file, offset, kZip64EndSize);
  Fields record(bytes, "zip64 end record");
  if (record.take<std::uint32_t>() != kZip64EndSignature)
    throw MalformedFile("zip: no zip64 end record at byte " + std::to_string(offset) + ", where the locator says");
  record.skip(8 + 2 + 2 + 4 + 4);  // its size, versions, disk numbers
  Directory directory;
  const auto count_here = record.take<std::uint64_t>();
  directory.count = record.take<std::uint64_t>();
  if (count_here != directory.count) throw Unsupported("zip: the archive is split over several disks");
  directory.size = record.take<std::uint64_t>();
  directory.offset = record.take<std::uint64_t>();
  directory.end = offset;
  return directory;
}

/// The end record is the last thing in the file, but for a comment whose length it states.
std::uint64_t find_end_record(const ByteSource& file) {
  const std::uint64_t tail_size = std::min(file.size(), kEndSize + kLargestComment);
  const auto tail = read_range(file, file.size() - tail_size, tail_size);
  for (std::uint64_t start = tail_size; start-- > 0;) {
    const auto rest = std::span(tail).subspan(start);
    if (rest.size() < kEndSize || load_little_endian<std::uint32_t>(rest) != kEndSignature) continue;
    if (load_little_endian<std::uint16_t>(rest.subspan(kEndSize - 2)) == rest.size() - kEndSize)
      return file.size() - tail_size + start;
  }
  throw MalformedFile("zip: no end record in " + std::to_string(file.size()) +
                      " bytes (truncated? an incomplete download?)");
}

Directory find_directory(const ByteSource& file) {
  const std::uint64_t end = find_end_record(file);
  std::optional<Directory> directory = find_zip64_directory(file, end);
  if (!directory) {
    const auto bytes = read_range(file, end, kEndSize);
    Fields record(bytes, "end record");
    record.skip(4);
    const auto disk = record.take<std::uint16_t>();
    const auto first_disk = record.take<std::uint16_t>();
    const auto count_here = record.take<std::uint16_t>();
    directory.emplace();
    directory->count = record.take<std::uint16_t>();
    directory->size = record.take<std::uint32_t>();
    directory->offset = record.take<std::uint32_t>();
    directory->end = end;
    if (disk != 0 || first_disk != 0 || count_here != directory->count)
      throw Unsupported("zip: the archive is split over several disks");
  }
  if (directory->offset > directory->end || directory->size > directory->end - directory->offset)
    throw MalformedFile("zip: the directory of " + std::to_string(directory->size) + " bytes at byte " +
                        std::to_string(directory->offset) + " leaves the file");
  if (directory->count > directory->size / kCentralSize)
    throw MalformedFile("zip: " + std::to_string(directory->count) + " entries do not fit in a directory of " +
                        std::to_string(directory->size) + " bytes");
  if (directory->size > kLargestDirectory)
    throw MalformedFile("zip: the directory claims " + std::to_string(directory->size) + " bytes; more than " +
                        std::to_string(kLargestDirectory) + " are not read");
  return *directory;
}

[[noreturn]] void throw_bad_entry(const std::string& name, const std::string& what) {
  throw MalformedFile("zip: entry '" + name + "': " + what);
}

/// An entry with what is needed to check it against its local header.
struct CentralEntry {
  ZipEntry entry;
  std::uint64_t header_offset = 0;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
};

/// Replaces the fields that say "see zip64" by those of the extra field, which holds only them.
void apply_zip64(std::span<const std::byte> extra, CentralEntry& central) {
  const auto fields = {&central.entry.size, &central.entry.stored_size, &central.header_offset};
  if (std::none_of(fields.begin(), fields.end(), [](const auto* field) { return *field == kSeeZip64; })) return;
  Fields blocks(extra, "extra field");
  while (!blocks.empty()) {
    const auto id = blocks.take<std::uint16_t>();
    const auto content = blocks.take_bytes(blocks.take<std::uint16_t>());
    if (id != kExtraZip64) continue;
    Fields values(content, "zip64 extra field");
    for (std::uint64_t* field : fields)
      if (*field == kSeeZip64) *field = values.take<std::uint64_t>();
    return;
  }
}

CentralEntry take_central_entry(Fields& fields) {
  if (fields.take<std::uint32_t>() != kCentralSignature)
    throw MalformedFile("zip: the directory is damaged: an entry has no signature");
  CentralEntry central;
  fields.skip(4);  // versions
  central.flags = fields.take<std::uint16_t>();
  central.method = fields.take<std::uint16_t>();
  fields.skip(4);  // time
  central.entry.crc32 = fields.take<std::uint32_t>();
  central.entry.stored_size = fields.take<std::uint32_t>();
  central.entry.size = fields.take<std::uint32_t>();
  const auto name_size = fields.take<std::uint16_t>();
  const auto extra_size = fields.take<std::uint16_t>();
  const auto comment_size = fields.take<std::uint16_t>();
  fields.skip(2 + 2 + 4);  // disk, attributes
  central.header_offset = fields.take<std::uint32_t>();
  central.entry.name = text_of(fields.take_bytes(name_size));
  apply_zip64(fields.take_bytes(extra_size), central);
  fields.skip(comment_size);

  const std::string& name = central.entry.name;
  if (name.empty() || name.find('\0') != std::string::npos)
    throw_bad_entry(name, "the name is empty or has a zero byte in it");
  if (central.flags & kFlagEncrypted) throw Unsupported("zip: entry '" + name + "' is encrypted");
  if (central.method != kStored && central.method != kDeflated)
    throw Unsupported("zip: entry '" + name + "' has compression method " + std::to_string(central.method) +
                      "; only stored and deflated are read");
  central.entry.deflated = central.method == kDeflated;
  return central;
}

/// Finds the content and checks that both headers say the same.
void locate(const ByteSource& file, std::uint64_t limit, CentralEntry& central) {
  ZipEntry& entry = central.entry;
  const std::uint64_t header_size = kLocalSize + entry.name.size();
  if (central.header_offset > limit || header_size > limit - central.header_offset)
    throw_bad_entry(entry.name,
                    "its header at byte " + std::to_string(central.header_offset) + " is outside of the file");
  const auto bytes = read_range(file, central.header_offset, header_size);
  Fields local(bytes, "local header");
  if (local.take<std::uint32_t>() != kLocalSignature)
    throw_bad_entry(entry.name, "no local header at byte " + std::to_string(central.header_offset));
  local.skip(2);
  const auto flags = local.take<std::uint16_t>();
  const auto method = local.take<std::uint16_t>();
  local.skip(4);
  const auto crc = local.take<std::uint32_t>();
  const std::uint64_t stored_size = local.take<std::uint32_t>();
  const std::uint64_t size = local.take<std::uint32_t>();
  const auto name_size = local.take<std::uint16_t>();
  const auto extra_size = local.take<std::uint16_t>();
  // With a descriptor the local header may leave checksum and sizes open; sizes may be in its zip64 field.
  const bool open = (flags & kFlagDescriptor) != 0;
  const auto agrees = [&](std::uint64_t here, std::uint64_t there) {
    return here == there || here == kSeeZip64 || (open && here == 0);
  };
  if (method != central.method || name_size != entry.name.size() ||
      text_of(local.take_bytes(name_size)) != entry.name || !agrees(stored_size, entry.stored_size) ||
      !agrees(size, entry.size) || (crc != entry.crc32 && !(open && crc == 0)))
    throw_bad_entry(entry.name, "its local header contradicts the directory");

  entry.data_offset = central.header_offset + header_size + extra_size;
  if (entry.data_offset > limit || entry.stored_size > limit - entry.data_offset)
    throw_bad_entry(entry.name, std::to_string(entry.stored_size) + " bytes at byte " +
                                    std::to_string(entry.data_offset) + " leave the file");
  if (!entry.deflated && entry.size != entry.stored_size)
    throw_bad_entry(entry.name, "it is stored, but states two sizes, " + std::to_string(entry.stored_size) + " and " +
                                    std::to_string(entry.size));
  if (entry.deflated && entry.size / kLargestRatio > entry.stored_size)
    throw_bad_entry(entry.name, std::to_string(entry.stored_size) + " bytes cannot inflate to the " +
                                    std::to_string(entry.size) + " declared");
}

void refuse_overlaps(std::vector<const CentralEntry*> entries) {
  std::sort(entries.begin(), entries.end(),
            [](const auto* a, const auto* b) { return a->header_offset < b->header_offset; });
  for (std::size_t i = 1; i < entries.size(); ++i)
    if (const ZipEntry& before = entries[i - 1]->entry;
        before.data_offset + before.stored_size > entries[i]->header_offset)
      throw_bad_entry(entries[i]->entry.name, "it overlaps entry '" + before.name + "'");
}

void refuse_bomb(const std::vector<ZipEntry>& entries, std::uint64_t file_size) {
  std::uint64_t inflated = 0;  // cannot overflow: each summand is bounded by its share of the file
  for (const ZipEntry& entry : entries)
    if (entry.deflated) inflated += entry.size;
  if (inflated > kSuspiciousSize && inflated / kSuspiciousRatio > file_size)
    throw MalformedFile("zip: " + std::to_string(file_size) + " bytes would inflate to " + std::to_string(inflated) +
                        " (a zip bomb?)");
}

}  // namespace

bool looks_like_zip(const ByteSource& file) {
  if (file.size() < 4) return false;
  const auto signature = load_little_endian<std::uint32_t>(read_range(file, 0, 4));
  return signature == kLocalSignature || signature == kEndSignature;
}

ZipReader::ZipReader(ByteSourcePtr file) : file_(std::move(file)) {
  ++work().containers_opened;
  const Directory directory = find_directory(*file_);
  const auto bytes = read_range(*file_, directory.offset, directory.size);
  Fields fields(bytes, "directory");
  std::vector<CentralEntry> found;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    found.push_back(take_central_entry(fields));
    locate(*file_, directory.offset, found.back());
  }
  std::vector<const CentralEntry*> by_place;
  for (const CentralEntry& central : found) by_place.push_back(&central);
  refuse_overlaps(std::move(by_place));
  for (CentralEntry& central : found) {
    if (!index_.emplace(central.entry.name, entries_.size()).second)
      throw_bad_entry(central.entry.name, "two entries have this name");
    entries_.push_back(std::move(central.entry));
  }
  // torch.save writes 0 for all of them where it is told not to compute any (torch.serialization.set_crc32_options).
  has_checksums_ = std::ranges::any_of(entries_, [](const ZipEntry& entry) { return entry.crc32 != 0; });
  refuse_bomb(entries_, file_->size());
}

const ZipEntry* ZipReader::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

ByteSourcePtr ZipReader::open(const ZipEntry& entry) const {
  ByteSourcePtr stored = part_of(file_, entry.data_offset, entry.stored_size);
  if (entry.deflated) return inflate_when_read(std::move(stored), entry.size, entry.crc32, entry.name);
  // What is mapped is used where it lies, and nothing passes.
  const bool is_mapped = dynamic_cast<const MappedBytes*>(file_.get()) != nullptr;
  return entry.crc32 == 0 || is_mapped ? stored : with_checksum(std::move(stored), entry.crc32, entry.name);
}

std::vector<std::byte> ZipReader::read(const ZipEntry& entry) const {
  const ByteSourcePtr stored = part_of(file_, entry.data_offset, entry.stored_size);
  std::vector<std::byte> content = read_all(*(entry.deflated ? open(entry) : stored));
  if (has_checksums_ && checksum(content) != entry.crc32)
    throw_bad_entry(entry.name, "its checksum is wrong (damaged?)");
  return content;
}

}  // namespace h5bridge
