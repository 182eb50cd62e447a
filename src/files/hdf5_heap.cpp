#include "files/hdf5_heap.h"

#include <array>
#include <cstring>
#include <map>

#include "files/hdf5_library.h"
#include "files/little_endian.h"

namespace h5bridge::hdf5 {
namespace {

/// What an attribute holds of a string: 4 bytes length, 8 bytes address of a collection in the global heap, 4 bytes
/// index in it.
constexpr std::size_t kReferenceSize = 16;
constexpr std::size_t kHeaderSize = 16;  // of a collection, and of each object in it

struct Extent {
  std::uint64_t offset, size;
};

/// The objects of the heap collection at `address`, by index.
using Collection = std::map<std::uint64_t, Extent>;

Collection read_collection(std::uint64_t address, const ByteSource& file) {
  std::array<std::byte, kHeaderSize> header;
  const std::span<const std::byte> view(header);
  file.read_at(address, header);
  if (std::memcmp(header.data(), "GCOL\1", 5) != 0)
    throw MalformedFile("no heap collection at offset " + std::to_string(address));
  const std::uint64_t size = load_little_endian<std::uint64_t>(view.subspan(8));
  if (size > file.size() - address)
    throw MalformedFile("the heap collection at offset " + std::to_string(address) + " is larger than the file");

  Collection objects;
  const std::uint64_t end = address + size;
  for (std::uint64_t at = address + kHeaderSize; at + kHeaderSize <= end;) {
    file.read_at(at, header);
    const std::uint64_t index = load_little_endian<std::uint16_t>(view),
                        length = load_little_endian<std::uint64_t>(view.subspan(8));
    at += kHeaderSize;
    if (index == 0) break;  // what follows is free
    if (length > end - at)
      throw MalformedFile("an object of the heap collection at offset " + std::to_string(address) + " leaves it");
    objects.emplace(index, Extent{at, length});
    at += (length + 7) / 8 * 8;
  }
  return objects;
}

/// As a conversion from text of variable length to 16 opaque bytes: the references as they are in the file.
herr_t keep_references(hid_t from, hid_t to, H5T_cdata_t* conversion, std::size_t, std::size_t, std::size_t, void*,
                       void*, hid_t) {
  if (conversion->command != H5T_CONV_INIT) return 0;
  conversion->need_bkg = H5T_BKG_NO;
  return H5Tget_size(from) == kReferenceSize && H5Tget_size(to) == kReferenceSize ? 0 : -1;
}

/// Teaches the library `keep_references` for as long as this lives.
class ReferenceConversion {
 public:
  ReferenceConversion()
      : text_(text_type(H5T_CSET_ASCII)),
        reference_(checked_handle<MalformedFile>(H5Tcreate(H5T_OPAQUE, kReferenceSize), "making an HDF5 type")) {
    checked<MalformedFile>(H5Tregister(H5T_PERS_SOFT, kName, text_.id(), reference_.id(), keep_references),
                           "registering a conversion");
  }
  ~ReferenceConversion() { H5Tunregister(H5T_PERS_SOFT, kName, text_.id(), reference_.id(), keep_references); }
  ReferenceConversion(const ReferenceConversion&) = delete;
  ReferenceConversion& operator=(const ReferenceConversion&) = delete;
  hid_t type() const { return reference_.id(); }

 private:
  static constexpr const char* kName = "h5bridge";
  Handle text_;
  Handle reference_;
};

}  // namespace

std::vector<std::string> variable_texts(std::int64_t attribute, std::uint64_t count, const ByteSource& file,
                                        const std::string& what) {
  const Library library;
  std::vector<std::byte> references(count * kReferenceSize);
  {
    const ReferenceConversion conversion;
    checked<MalformedFile>(H5Aread(attribute, conversion.type(), references.data()), what);
  }
  std::map<std::uint64_t, Collection> collections;
  std::uint64_t total = 0;
  const auto text_at = [&](std::span<const std::byte> reference) -> std::string {
    const std::uint64_t length = load_little_endian<std::uint32_t>(reference),
                        address = load_little_endian<std::uint64_t>(reference.subspan(4)),
                        index = load_little_endian<std::uint32_t>(reference.subspan(12));
    if (length == 0) return {};
    const auto [collection, added] = collections.try_emplace(address);
    if (added) collection->second = read_collection(address, file);
    const auto found = collection->second.find(index);
    if (found == collection->second.end() || length > found->second.size)
      throw MalformedFile("no text of " + std::to_string(length) + " bytes in the heap collection at offset " +
                          std::to_string(address));
    total += length;
    if (total > file.size()) throw MalformedFile("the texts together are larger than the file");
    std::string text(length, '\0');
    file.read_at(found->second.offset, std::as_writable_bytes(std::span(text)));
    text.resize(::strnlen(text.data(), length));
    return text;
  };
  return in_file(what, [&] {
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < count; ++i)
      texts.push_back(text_at(std::span(references).subspan(i * kReferenceSize, kReferenceSize)));
    return texts;
  });
}

}  // namespace h5bridge::hdf5
