#include <ostream>
#include <stdexcept>

#include "files/inflate.h"
#include "files/little_endian.h"
#include "files/zip.h"
#include "files/zip_format.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using namespace zip;

constexpr std::uint64_t kMemberAlignment = 64;
constexpr std::uint64_t kPaddingField = 4;  // without the padding
constexpr std::uint64_t kZip64Field = 28;   // with sizes and an offset
constexpr std::uint16_t kVersionNeeded = 20;
constexpr std::uint16_t kVersionNeededZip64 = 45;
constexpr std::uint32_t kNoTime = 0x00210000;  // 1980-01-01: the same model gives the same bytes on any day

bool large(std::uint64_t value) { return value >= kSeeZip64; }
std::uint32_t or_see_zip64(std::uint64_t value) { return large(value) ? kSeeZip64 : static_cast<std::uint32_t>(value); }

template <std::unsigned_integral... T>
std::string record(T... fields) {
  std::string bytes;
  (append_little_endian(bytes, fields), ...);
  return bytes;
}

std::uint16_t short_size(std::size_t size) { return static_cast<std::uint16_t>(size); }

std::uint16_t flags(const ZipWriter::Written& entry) {
  return entry.size == 0 || entry.is_known ? kFlagUtf8 : kFlagDescriptor | kFlagUtf8;
}

std::string zip64_field(const std::string& values) {
  return values.empty() ? "" : record(kExtraZip64, short_size(values.size())) + values;
}

/// Whether a descriptor with 64-bit sizes follows the content: torch computes offsets of what it skips by this rule.
bool is_wide(const ZipWriter::Written& entry) { return large(entry.size) || large(entry.header_offset); }

std::string zip64_values(const ZipWriter::Written& entry) {
  return (large(entry.size) ? record(entry.size, entry.size) : "") +
         (large(entry.header_offset) ? record(entry.header_offset) : "");
}

std::uint64_t aligned(std::uint64_t offset) {
  return (offset + kMemberAlignment - 1) / kMemberAlignment * kMemberAlignment;
}

/// The header of an entry whose content begins at `content`. Unless they are known, checksum and sizes follow the
/// content, so that it need not be read twice.
std::string local_header(const ZipWriter::Written& entry, std::uint64_t content) {
  std::string extra = zip64_field(zip64_values(entry));
  const std::uint64_t unpadded = entry.header_offset + kLocalSize + entry.name.size() + extra.size() + kPaddingField;
  const auto padding = static_cast<std::size_t>(content - unpadded);
  extra += record(kExtraPadding, short_size(padding)) + std::string(padding, 'Z');
  const std::uint32_t size = large(entry.size) || entry.is_known ? or_see_zip64(entry.size) : 0;
  return record(kLocalSignature, is_wide(entry) ? kVersionNeededZip64 : kVersionNeeded, flags(entry), kStored, kNoTime,
                entry.is_known ? entry.crc32 : std::uint32_t{0}, size, size, short_size(entry.name.size()),
                short_size(extra.size())) +
         entry.name + extra;
}

std::uint64_t content_offset(const ZipWriter::Written& entry) {
  return aligned(entry.header_offset + kLocalSize + entry.name.size() + zip64_field(zip64_values(entry)).size() +
                 kPaddingField);
}

std::string descriptor(const ZipWriter::Written& entry) {
  if (entry.size == 0 || entry.is_known) return "";  // the header says it all
  const std::string start = record(kDescriptorSignature, entry.crc32);
  const auto size = static_cast<std::uint32_t>(entry.size);
  return start + (is_wide(entry) ? record(entry.size, entry.size) : record(size, size));
}

std::string central_header(const ZipWriter::Written& entry) {
  const std::string extra = zip64_field(zip64_values(entry));
  const std::uint16_t version = extra.empty() ? kVersionNeeded : kVersionNeededZip64;
  const std::uint32_t size = or_see_zip64(entry.size);
  const std::uint16_t none = 0;
  return record(kCentralSignature, version, version, flags(entry), kStored, kNoTime, entry.crc32, size, size,
                short_size(entry.name.size()), short_size(extra.size()), none, none, none, std::uint32_t{0},
                or_see_zip64(entry.header_offset)) +
         entry.name + extra;
}

std::string end_records(std::uint64_t count, std::uint64_t size, std::uint64_t offset) {
  const std::uint32_t first_disk = 0;
  const std::uint16_t none = 0;
  std::string records;
  const bool many = count >= kSeeZip64Short;
  if (many || large(size) || large(offset)) {
    records += record(kZip64EndSignature, kZip64EndSize - 12, kVersionNeededZip64, kVersionNeededZip64, first_disk,
                      first_disk, count, count, size, offset);
    records += record(kZip64LocatorSignature, first_disk, offset + size, std::uint32_t{1});
  }
  const std::uint16_t short_count = many ? kSeeZip64Short : static_cast<std::uint16_t>(count);
  return records +
         record(kEndSignature, none, none, short_count, short_count, or_see_zip64(size), or_see_zip64(offset), none);
}

}  // namespace

void ZipWriter::put(std::string_view bytes) {
  out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out_) throw SystemFailure("writing failed at byte " + std::to_string(position_) + " (disk full?)");
  position_ += bytes.size();
}

void ZipWriter::add(const std::string& name, std::uint64_t size, const std::function<void(const Sink&)>& produce) {
  Written entry{name, size, position_, 0, false};
  put(local_header(entry, content_offset(entry)));
  const std::uint64_t start = position_;
  produce([&](std::span<const std::byte> bytes) {
    entry.crc32 = checksum(bytes, entry.crc32);
    put(text_of(bytes));
  });
  if (position_ - start != size) throw std::logic_error("zip: entry '" + name + "' has another size than announced");
  put(descriptor(entry));
  entries_.push_back(std::move(entry));
}

void ZipWriter::add_in_place(const std::string& name, const std::function<Content(std::uint64_t)>& write) {
  Written entry{name, 0, position_, 0, true};
  const std::uint64_t start = aligned(position_ + kLocalSize + name.size() + kZip64Field + kPaddingField);
  out_.flush();
  const Content content = write(start);
  entry.size = content.size;
  entry.crc32 = content.crc32;
  put(local_header(entry, start));
  position_ = start + content.size;
  out_.seekp(static_cast<std::streamoff>(position_));
  entries_.push_back(std::move(entry));
}

void ZipWriter::add(const std::string& name, std::string_view content) {
  add(name, content.size(), [&](const Sink& sink) { sink(bytes_of(content)); });
}

void ZipWriter::finish() {
  const std::uint64_t offset = position_;
  for (const Written& entry : entries_) put(central_header(entry));
  put(end_records(entries_.size(), position_ - offset, offset));
  out_.flush();
  if (!out_) throw SystemFailure("writing failed (disk full?)");
}

}  // namespace h5bridge
