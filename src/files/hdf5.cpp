#include "files/hdf5.h"

#include <array>
#include <cstring>

#include "files/hdf5_heap.h"
#include "files/hdf5_library.h"
#include "files/hdf5_source.h"
#include "files/little_endian.h"
#include "files/unpacked_source.h"
#include "model/checked.h"
#include "model/checked_bytes.h"
#include "model/work_counts.h"

namespace h5bridge::hdf5 {
namespace {

constexpr int kMaxDepth = 64;
constexpr hsize_t kMaxTexts = 1 << 16;  // an attribute of 64 KB cannot hold more
// Keras's own limits: a data set may declare this many times what it stores, if it declares more than the floor.
constexpr std::uint64_t kMaxExpansion = 1000;
constexpr std::uint64_t kExpansionFloor = std::uint64_t{4} << 30;
// A chunk is unpacked as a whole, so one that is larger than all of the data is of no use but to fill the memory.
constexpr std::uint64_t kLargeChunk = std::uint64_t{64} << 20;

template <typename Result>
Result check(Result result, const std::string& what) {
  return checked<MalformedFile>(result, what);
}

Handle handle(hid_t id, const std::string& what) { return checked_handle<MalformedFile>(id, what); }

/// Refuses what is no HDF5 file, and what is shorter than its superblock says, before the library looks at it.
void check_superblock(const ByteSource& file) {
  constexpr std::array<unsigned char, 8> kMagic{0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  std::array<unsigned char, 64> head{};
  const std::size_t length = std::min<std::uint64_t>(head.size(), file.size());
  file.read_at(0, std::as_writable_bytes(std::span(head).first(length)));
  if (!std::equal(kMagic.begin(), kMagic.end(), head.begin()))
    throw MalformedFile("not an HDF5 file: it does not start with the HDF5 signature");
  if (length < head.size()) throw MalformedFile("truncated HDF5 file: it ends inside of its superblock");

  struct Superblock {
    std::size_t sizes_at, base_at, end_at;
  };
  constexpr std::array<Superblock, 4> kVersions{{{13, 24, 40}, {13, 28, 44}, {9, 12, 28}, {9, 12, 28}}};
  const std::size_t version = head[8];
  if (version >= kVersions.size())
    throw MalformedFile("HDF5 superblock version " + std::to_string(version) + " is unknown, expected 0 to 3");
  const Superblock& block = kVersions[version];
  if (head[block.sizes_at] != 8 || head[block.sizes_at + 1] != 8)
    throw MalformedFile("HDF5 superblock: offsets of " + std::to_string(head[block.sizes_at]) + " and lengths of " +
                        std::to_string(head[block.sizes_at + 1]) + " bytes, expected 8 and 8");
  const auto number_at = [&](std::size_t at) {
    return load_little_endian<std::uint64_t>(std::as_bytes(std::span(head)).subspan(at));
  };
  if (number_at(block.base_at) != 0)
    throw MalformedFile("HDF5 superblock: base address " + std::to_string(number_at(block.base_at)) + ", expected 0");
  if (number_at(block.end_at) > file.size())
    throw MalformedFile("truncated HDF5 file: its superblock states " + std::to_string(number_at(block.end_at)) +
                        " bytes, but there are " + std::to_string(file.size()));
}

std::string attribute_of(const std::string& path, const std::string& attribute) {
  return "attribute " + printable(attribute) + " of " + printable(path);
}

struct OpenAttribute {
  Handle attribute, type, space;
  hsize_t count;
};

std::optional<OpenAttribute> open_attribute(hid_t object, const std::string& name, const std::string& what) {
  if (check(H5Aexists(object, name.c_str()), what) == 0) return std::nullopt;
  Handle attribute = handle(H5Aopen(object, name.c_str(), H5P_DEFAULT), what);
  Handle type = handle(H5Aget_type(attribute.id()), what);
  Handle space = handle(H5Aget_space(attribute.id()), what);
  const auto count = static_cast<hsize_t>(check(H5Sget_simple_extent_npoints(space.id()), what));
  return OpenAttribute{std::move(attribute), std::move(type), std::move(space), count};
}

std::vector<std::string> padded_texts(const OpenAttribute& open, std::uint64_t file_size, const std::string& what) {
  const std::size_t width = H5Tget_size(open.type.id());
  if (width > file_size / open.count) throw MalformedFile(what + " is larger than the file");
  std::string buffer(width * open.count, '\0');
  check(H5Aread(open.attribute.id(), open.type.id(), buffer.data()), what);
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < buffer.size(); at += width)
    texts.emplace_back(buffer.data() + at, ::strnlen(buffer.data() + at, width));
  return texts;
}

std::vector<std::string> read_texts(const OpenAttribute& open, const ByteSource& file, const std::string& what) {
  if (open.count == 0) return {};
  if (open.count > kMaxTexts) throw MalformedFile(what + " has " + std::to_string(open.count) + " elements, too many");
  if (H5Tget_class(open.type.id()) != H5T_STRING) throw MalformedFile(what + " holds no text");
  const bool variable = check(H5Tis_variable_str(open.type.id()), what) > 0;
  return variable ? variable_texts(open.attribute.id(), open.count, file, what) : padded_texts(open, file.size(), what);
}

std::vector<hsize_t> extents_of(hid_t space, const std::string& what) {
  std::vector<hsize_t> extents(static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space), what)));
  if (!extents.empty()) check(H5Sget_simple_extent_dims(space, extents.data(), nullptr), what);
  return extents;
}

/// The elements of a data set that the library has to unpack or convert, as row-major little-endian bytes.
class UnpackedDataSet final : public UnpackedSource, public CheckedBytes {
 public:
  UnpackedDataSet(Handle data_set, DType dtype, std::vector<hsize_t> extents, std::uint64_t size, ByteSourcePtr file,
                  std::string what)
      : data_set_(std::move(data_set)),
        type_(type_of(dtype)),
        extents_(std::move(extents)),
        width_(size_of(dtype)),
        size_(size),
        file_(std::move(file)),
        what_(std::move(what)) {}

  std::uint64_t size() const override { return size_; }
  void check_rest() const override { h5bridge::check_rest(*file_); }

 protected:
  void read_range(std::uint64_t offset, std::span<std::byte> into) const override {
    const std::uint64_t first = offset / width_;
    const std::uint64_t last = (offset + into.size() + width_ - 1) / width_;
    if (offset % width_ == 0 && into.size() % width_ == 0) return read_elements(first, last - first, into.data());
    std::vector<std::byte> whole((last - first) * width_);
    read_elements(first, last - first, whole.data());
    std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(offset - first * width_), into.size(), into.begin());
  }

 private:
  void read_elements(hsize_t first, hsize_t count, std::byte* into) const {
    const Library library;
    const Handle file_space = handle(H5Dget_space(data_set_.id()), what_);
    for_each_box(file_space.id(), extents_, first, count, [&](hsize_t elements) {
      const Handle memory_space = handle(H5Screate_simple(1, &elements, nullptr), what_);
      check(H5Dread(data_set_.id(), type_.id(), memory_space.id(), file_space.id(), H5P_DEFAULT, into), what_);
      into += elements * width_;
    });
  }

  Handle data_set_;
  Handle type_;
  std::vector<hsize_t> extents_;
  std::size_t width_;
  std::uint64_t size_;
  ByteSourcePtr file_;
  std::string what_;
};

/// Refuses storage outside of the file and filters that are not HDF5's own; returns the layout.
H5D_layout_t check_storage(hid_t properties, const std::string& what) {
  const H5D_layout_t layout = check(H5Pget_layout(properties), what);
  if (layout == H5D_VIRTUAL) throw MalformedFile(what + " is a virtual data set, which is refused");
  if (check(H5Pget_external_count(properties), what) > 0)
    throw MalformedFile(what + " is stored in another file, which is refused");
  constexpr std::array<H5Z_filter_t, 3> kAllowed{H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32};
  const int filters = check(H5Pget_nfilters(properties), what);
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0;
    std::size_t values = 0;
    const H5Z_filter_t filter = check(
        H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr), what);
    if (std::find(kAllowed.begin(), kAllowed.end(), filter) == kAllowed.end())
      throw MalformedFile(what + " uses filter " + std::to_string(filter) +
                          ", which is refused: only deflate, shuffle and fletcher32 are read");
  }
  return layout;
}

void check_expansion(hid_t properties, H5D_layout_t layout, std::uint64_t declared, std::uint64_t stored,
                     std::size_t width, const std::string& what) {
  if (declared > kExpansionFloor && declared / kMaxExpansion > stored)
    throw MalformedFile(what + " declares " + std::to_string(declared) + " bytes but stores " + std::to_string(stored) +
                        ": refused");
  if (layout != H5D_CHUNKED) return;
  std::array<hsize_t, H5S_MAX_RANK> extents{};
  const int rank = check(H5Pget_chunk(properties, H5S_MAX_RANK, extents.data()), what);
  std::uint64_t chunk = width;  // HDF5 keeps the product below 4 GiB
  for (int i = 0; i < rank; ++i) chunk *= extents[static_cast<std::size_t>(i)];
  if (chunk > kLargeChunk && chunk > declared)
    throw MalformedFile(what + " has chunks of " + std::to_string(chunk) + " bytes for " + std::to_string(declared) +
                        " bytes of data: refused");
}

}  // namespace

std::uint64_t Object::address() const {
  const Library library;
  H5O_info_t info{};
  check(H5Oget_info(handle_.id(), &info), printable(path_));
  return info.addr;
}

std::optional<std::vector<std::string>> Object::texts(const std::string& attribute) const {
  const Library library;
  const std::string what = attribute_of(path_, attribute);
  const auto open = open_attribute(handle_.id(), attribute, what);
  if (!open) return std::nullopt;
  return read_texts(*open, *file_, what);
}

std::optional<std::string> Object::text(const std::string& attribute) const {
  const auto list = texts(attribute);
  if (!list) return std::nullopt;
  if (list->size() != 1)
    throw MalformedFile(attribute_of(path_, attribute) + " holds " + std::to_string(list->size()) +
                        " texts, expected one");
  return list->front();
}

bool Group::has(const std::string& name) const {
  const Library library;
  return check(H5Lexists(handle_.id(), name.c_str(), H5P_DEFAULT), "group " + printable(path_)) > 0;
}

std::vector<std::string> Group::names() const {
  const Library library;
  std::vector<std::string> result;
  const auto add = [](hid_t, const char* name, const H5L_info_t*, void* into) noexcept -> herr_t {
    try {
      static_cast<std::vector<std::string>*>(into)->emplace_back(name);
      return 0;
    } catch (...) {
      keep_error(std::current_exception());
      return -1;
    }
  };
  hsize_t next = 0;
  check(H5Literate(handle_.id(), H5_INDEX_NAME, H5_ITER_INC, &next, add, &result), "group " + printable(path_));
  return result;
}

bool Group::is_group(const std::string& name) const {
  const Library library;
  return H5Iget_type(follow(name).id()) == H5I_GROUP;
}

Handle Group::follow(std::string_view path) const {
  const Library library;
  Handle current;
  std::string where = path_ == "/" ? "" : path_;
  int depth = 0;
  for (std::size_t begin = 0; begin <= path.size(); ++depth) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name(path.substr(begin, end - begin));
    where += "/" + name;
    const std::string what = printable(where);
    if (name.empty() || name == ".") throw MalformedFile(what + " is no proper path");
    if (depth == kMaxDepth) throw MalformedFile(what + " is more than " + std::to_string(kMaxDepth) + " levels deep");
    const hid_t parent = depth == 0 ? handle_.id() : current.id();
    if (H5Iget_type(parent) != H5I_GROUP) throw MalformedFile(what + " does not exist: a group is expected above it");
    if (check(H5Lexists(parent, name.c_str(), H5P_DEFAULT), what) == 0) throw MalformedFile(what + " does not exist");
    H5L_info_t link{};
    check(H5Lget_info(parent, name.c_str(), &link, H5P_DEFAULT), what);
    if (link.type != H5L_TYPE_HARD) {
      const std::string kind = link.type == H5L_TYPE_SOFT       ? "a soft"
                               : link.type == H5L_TYPE_EXTERNAL ? "an external"
                                                                : "a user-defined";
      throw MalformedFile(what + " is " + kind + " link, which is refused");
    }
    current = handle(H5Oopen(parent, name.c_str(), H5P_DEFAULT), what);
    begin = end + 1;
  }
  return current;
}

Group Group::group(std::string_view path) const {
  Handle found = follow(path);
  std::string where = (path_ == "/" ? "" : path_) + "/" + std::string(path);
  const Library library;
  if (H5Iget_type(found.id()) != H5I_GROUP)
    throw MalformedFile(printable(where) + " is no group, where one is expected");
  return Group(std::move(found), std::move(where), file_);
}

DataSet Group::data_set(std::string_view path) const {
  Handle found = follow(path);
  std::string where = (path_ == "/" ? "" : path_) + "/" + std::string(path);
  const Library library;
  if (H5Iget_type(found.id()) != H5I_DATASET)
    throw MalformedFile(printable(where) + " is no data set, where one is expected");
  return DataSet(std::move(found), std::move(where), file_);
}

Tensor DataSet::tensor() const {
  const Library library;
  const std::string what = "data set " + printable(path_);
  const Handle properties = handle(H5Dget_create_plist(handle_.id()), what);
  const H5D_layout_t layout = check_storage(properties.id(), what);

  const Handle type = handle(H5Dget_type(handle_.id()), what);
  const auto element = element_type(type.id());
  if (!element) {
    const bool text = H5Tget_class(type.id()) == H5T_STRING;
    throw Unsupported(what + (text ? " holds strings, expected numbers" : " has an element type that no tensor has"));
  }

  const Handle space = handle(H5Dget_space(handle_.id()), what);
  if (H5Sget_simple_extent_type(space.id()) == H5S_NULL) throw MalformedFile(what + " has no shape and no value");
  std::vector<hsize_t> extents = extents_of(space.id(), what);
  Shape shape(extents.begin(), extents.end());
  const std::size_t width = size_of(element->dtype);
  const auto count =
      static_cast<std::uint64_t>(in_file(what, [&] { return as_file_says([&] { return element_count(shape); }); }));
  if (count > INT64_MAX / width) throw MalformedFile(what + " of shape " + to_string(shape) + " is too large");
  const std::uint64_t declared = count * width;
  if (declared == 0) return Tensor(element->dtype, std::move(shape), bytes_in_memory({}));

  const std::uint64_t stored = H5Dget_storage_size(handle_.id());
  const haddr_t offset = layout == H5D_CONTIGUOUS ? H5Dget_offset(handle_.id()) : HADDR_UNDEF;
  const bool in_one_piece = layout == H5D_COMPACT || offset != HADDR_UNDEF;
  const bool inside = offset == HADDR_UNDEF || (offset <= file_->size() && declared <= file_->size() - offset);
  if (in_one_piece && (stored != declared || !inside))
    throw MalformedFile(what + " declares " + std::to_string(declared) + " bytes, which the file does not hold");
  if (offset != HADDR_UNDEF && element->native_order)
    return Tensor(element->dtype, std::move(shape), part_of(file_, offset, declared));
  check_expansion(properties.id(), layout, declared, stored, width, what);
  check(H5Iinc_ref(handle_.id()), what);
  Handle kept(handle_.id());
  auto bytes = std::make_shared<UnpackedDataSet>(std::move(kept), element->dtype, std::move(extents), declared, file_,
                                                 "reading " + what);
  return Tensor(element->dtype, std::move(shape), std::move(bytes));
}

Group open(const std::string& path) {
  ByteSourcePtr file = open_file(path);
  check_superblock(*file);
  const Library library;
  ++work().containers_opened;
  const Handle access = handle(H5Pcreate(H5P_FILE_ACCESS), "making an HDF5 property list");
  keep_little_metadata(access.id());
  const Handle opened = handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), "not a readable HDF5 file");
  return Group(handle(H5Gopen2(opened.id(), "/", H5P_DEFAULT), "/"), "/", std::move(file));
}

Group open(ByteSourcePtr file) {
  check_superblock(*file);
  const Library library;
  const Handle opened = open_source(file);
  return Group(handle(H5Gopen2(opened.id(), "/", H5P_DEFAULT), "/"), "/", std::move(file));
}

}  // namespace h5bridge::hdf5
