#include "files/npy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <ostream>

#include "files/blocks.h"
#include "files/byte_order.h"
#include "files/little_endian.h"
#include "h5bridge/error.h"
#include "model/checked.h"

namespace h5bridge {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kVersionSize = 2;
constexpr std::uint64_t kLongestHeader = 1 << 16;
constexpr std::size_t kAlignment = 64;
constexpr std::string_view kSuffix = ".npy";

struct DescriptionRow {
  DType dtype;
  std::string_view description;
};
constexpr std::array<DescriptionRow, 14> kDescriptions{{
    {DType::Float64, "<f8"},
    {DType::Float32, "<f4"},
    {DType::Float16, "<f2"},
    {DType::Int64, "<i8"},
    {DType::Int32, "<i4"},
    {DType::Int16, "<i2"},
    {DType::Int8, "|i1"},
    {DType::UInt64, "<u8"},
    {DType::UInt32, "<u4"},
    {DType::UInt16, "<u2"},
    {DType::UInt8, "|u1"},
    {DType::Bool, "|b1"},
    {DType::Complex64, "<c8"},
    {DType::Complex128, "<c16"},
}};

DType dtype_described(const std::string& description) {
  const auto found = std::ranges::find(kDescriptions, description, &DescriptionRow::description);
  if (found == kDescriptions.end())
    throw Unsupported("npy: elements of type '" + description + "' have no equivalent here");
  return found->dtype;
}

std::string_view description_of(DType dtype) {
  const auto found = std::ranges::find(kDescriptions, dtype, &DescriptionRow::dtype);
  if (found == kDescriptions.end()) throw Unsupported("npy: NumPy has no type " + std::string(name_of(dtype)));
  return found->description;
}

// Complex elements are two.
std::size_t size_of_number(DType dtype) {
  const bool is_pair = dtype == DType::Complex64 || dtype == DType::Complex128;
  return size_of(dtype) / (is_pair ? 2 : 1);
}

/// The header is a Python dict literal with three keys in any order.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  void parse() {
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr")
        describe(string());
      else if (key == "fortran_order")
        fortran_order_ = boolean();
      else if (key == "shape")
        shape_ = shape();
      else
        fail("the unknown key '" + key + "'");
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (peek() != '\0' || !dtype_ || !fortran_order_ || !shape_)
      fail("expected the keys descr, fortran_order and shape");
  }

  DType dtype() const { return *dtype_; }
  bool is_big_endian() const { return is_big_endian_; }
  bool fortran_order() const { return *fortran_order_; }
  const Shape& shape_found() const { return *shape_; }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw MalformedFile("npy: header, character " + std::to_string(position_) + ": " + what);
  }
  void describe(std::string description) {
    is_big_endian_ = description.starts_with('>');
    if (is_big_endian_) description[0] = '<';
    dtype_ = dtype_described(description);
  }
  char peek() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
    return position_ < text_.size() ? text_[position_] : '\0';
  }
  bool accept(char wanted) {
    if (peek() != wanted) return false;
    ++position_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(std::string("expected '") + wanted + "'");
  }
  std::string string() {
    const char quote = peek();
    if (quote == '[') throw Unsupported("npy: arrays of records have no equivalent here");
    if (quote != '\'' && quote != '"') fail("expected a string");
    const std::size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) fail("a string has no end");
    std::string content(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 1;
    return content;
  }
  bool boolean() {
    peek();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.substr(position_).starts_with(word)) continue;
      position_ += word.size();
      return value;
    }
    fail("expected True or False");
  }
  Shape shape() {
    Shape extents;
    expect('(');
    while (!accept(')')) {
      peek();
      std::int64_t extent = 0;
      const auto [end, error] = std::from_chars(text_.data() + position_, text_.data() + text_.size(), extent);
      if (error != std::errc{}) fail("expected an extent");
      position_ = static_cast<std::size_t>(end - text_.data());
      extents.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return extents;
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::optional<DType> dtype_;
  bool is_big_endian_ = false;
  std::optional<bool> fortran_order_;
  std::optional<Shape> shape_;
};

std::string read_text(const ByteSource& file, std::uint64_t offset, std::uint64_t size) {
  std::string text(size, '\0');
  file.read_at(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

std::string header_of(const Tensor& tensor) {
  std::string text = "{'descr': '" + std::string(description_of(tensor.dtype())) +
                     "', 'fortran_order': False, 'shape': " + to_string(tensor.shape()) + ", }";
  const std::size_t unpadded = kMagic.size() + kVersionSize + sizeof(std::uint16_t) + text.size() + 1;
  text.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ').push_back('\n');
  std::string header(kMagic);
  header += std::string("\x01\x00", kVersionSize);
  append_little_endian(header, static_cast<std::uint16_t>(text.size()));
  return header + text;
}

}  // namespace

bool looks_like_npy(const ByteSource& file) {
  return file.size() >= kMagic.size() && read_text(file, 0, kMagic.size()) == kMagic;
}

bool is_npz(const ZipReader& archive) {
  return !archive.entries().empty() &&
         std::ranges::all_of(archive.entries(), [](const ZipEntry& entry) { return entry.name.ends_with(kSuffix); });
}

Tensor read_npy(const ByteSourcePtr& file) {
  if (!looks_like_npy(*file)) throw MalformedFile("npy: the magic bytes are missing");
  const auto version = read_text(*file, kMagic.size(), kVersionSize)[0];
  if (version < 1 || version > 3)
    throw Unsupported("npy: format version " + std::to_string(version) + "; 1 to 3 are read");
  const std::uint64_t length_offset = kMagic.size() + kVersionSize;
  const std::uint64_t length_size = version == 1 ? sizeof(std::uint16_t) : sizeof(std::uint32_t);
  const std::string length_bytes = read_text(*file, length_offset, length_size);
  const std::uint64_t length = version == 1 ? load_little_endian<std::uint16_t>(bytes_of(length_bytes))
                                            : load_little_endian<std::uint32_t>(bytes_of(length_bytes));
  if (length > kLongestHeader) throw MalformedFile("npy: a header of " + std::to_string(length) + " bytes");
  const std::uint64_t header_offset = length_offset + length_size;
  const std::string text = read_text(*file, header_offset, length);
  HeaderParser header(text);
  header.parse();

  const std::uint64_t data_offset = header_offset + length;
  ByteSourcePtr data = part_of(file, data_offset, file->size() - data_offset);
  if (header.is_big_endian()) data = with_reversed_numbers(std::move(data), size_of_number(header.dtype()));
  const auto tensor = [&](Shape shape) {
    return as_file_says([&] { return Tensor(header.dtype(), std::move(shape), data); });
  };
  if (!header.fortran_order()) return tensor(header.shape_found());
  Shape reversed(header.shape_found().rbegin(), header.shape_found().rend());
  std::vector<std::int64_t> axes;
  for (std::size_t i = reversed.size(); i-- > 0;) axes.push_back(static_cast<std::int64_t>(i));
  return tensor(std::move(reversed)).permute(axes);
}

void write_npy(const Tensor& tensor, std::ostream& out) {
  out << header_of(tensor);
  for_each_block(tensor, [&](std::span<const std::byte> block) {
    out.write(reinterpret_cast<const char*>(block.data()), static_cast<std::streamsize>(block.size()));
  });
  out.flush();
  if (!out) throw SystemFailure("writing failed (disk full?)");
}

std::vector<NamedTensor> read_npz(const ByteSourcePtr& file) {
  const ZipReader archive(file);
  std::vector<NamedTensor> tensors;
  for (const ZipEntry& entry : archive.entries()) {
    if (!entry.name.ends_with(kSuffix)) throw MalformedFile("npz: entry '" + entry.name + "' is no .npy file");
    const std::string name = entry.name.substr(0, entry.name.size() - kSuffix.size());
    tensors.push_back({name, in_file("entry '" + entry.name + "'", [&] { return read_npy(archive.open(entry)); })});
  }
  return tensors;
}

void write_npz(std::span<const NamedTensor> tensors, std::ostream& out) {
  ZipWriter zip(out);
  for (const auto& [name, tensor] : tensors) {
    const std::string header = header_of(tensor);
    zip.add(name + std::string(kSuffix), header.size() + tensor.byte_count(), [&](const ZipWriter::Sink& sink) {
      sink(bytes_of(header));
      for_each_block(tensor, sink);
    });
  }
  zip.finish();
}

}  // namespace h5bridge
