#include "files/safetensors.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <ostream>

#include "files/little_endian.h"
#include "files/read_ahead.h"
#include "h5bridge/error.h"
#include "h5bridge/json.h"
#include "model/checked.h"
#include "model/quoted.h"

namespace h5bridge::safetensors {
namespace {

constexpr std::uint64_t kLengthSize = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the format's own limit
constexpr std::size_t kAlignment = 64;                 // as LibTorch has tensors in memory
constexpr const char* kMetadata = "__metadata__";

struct TypeRow {
  DType dtype;
  std::string_view name;
};
constexpr std::array<TypeRow, 16> kTypes{{
    {DType::Float64, "F64"},
    {DType::Float32, "F32"},
    {DType::Float16, "F16"},
    {DType::BFloat16, "BF16"},
    {DType::Float8E4M3FN, "F8_E4M3"},
    {DType::Float8E5M2, "F8_E5M2"},
    {DType::Int64, "I64"},
    {DType::Int32, "I32"},
    {DType::Int16, "I16"},
    {DType::Int8, "I8"},
    {DType::UInt64, "U64"},
    {DType::UInt32, "U32"},
    {DType::UInt16, "U16"},
    {DType::UInt8, "U8"},
    {DType::Bool, "BOOL"},
    {DType::Complex64, "C64"},
}};

std::uint64_t header_length(const ByteSource& file) {
  std::array<std::byte, kLengthSize> bytes{};
  file.read_at(0, bytes);
  return load_little_endian<std::uint64_t>(bytes);
}

/// Where a tensor lies behind the header.
struct Extent {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::string name;
};

struct Entry {
  DType dtype;
  Shape shape;
  Extent extent;
};

Entry entry_from(const std::string& name, const Json& json) {
  const std::string& type = json.at("dtype").as_string();
  const auto row = std::ranges::find(kTypes, type, &TypeRow::name);
  if (row == kTypes.end()) throw Unsupported("elements of type " + shortened(type) + " have no equivalent here");
  Shape shape;
  for (const Json& extent : json.at("shape").as_array()) shape.push_back(extent.as_integer());
  const Json::Array& offsets = json.at("data_offsets").as_array();
  if (offsets.size() != 2) throw MalformedFile("it has " + std::to_string(offsets.size()) + " offsets, expected 2");
  Extent extent{offsets[0].as_integer(), offsets[1].as_integer(), name};
  const std::int64_t size = checked_multiply(as_file_says([&] { return element_count(shape); }),
                                             static_cast<std::int64_t>(size_of(row->dtype)), "a tensor's size");
  if (extent.begin < 0 || extent.end < extent.begin || extent.end - extent.begin != size)
    throw MalformedFile("it lies from " + std::to_string(extent.begin) + " to " + std::to_string(extent.end) +
                        ", but has " + std::to_string(size) + " bytes");
  return {row->dtype, std::move(shape), std::move(extent)};
}

/// Each byte of the data belongs to one tensor: overlaps and holes hide things.
void check_extents(std::vector<Extent> extents, std::uint64_t data_size) {
  std::ranges::sort(extents, {}, [](const Extent& extent) { return std::pair(extent.begin, extent.end); });
  std::int64_t end = 0;
  for (const Extent& extent : extents) {
    if (extent.begin != end)
      throw MalformedFile("tensor \"" + shortened(extent.name) + "\" begins at " + std::to_string(extent.begin) +
                          ", expected " + std::to_string(end) + ", where the one before it ends");
    end = extent.end;
  }
  if (static_cast<std::uint64_t>(end) != data_size)
    throw MalformedFile("there are " + std::to_string(data_size) + " bytes of data, expected " + std::to_string(end));
}

Metadata metadata_from(const Json& json) {
  Metadata metadata;
  if (json.is_null()) return metadata;  // MLX writes that
  for (const auto& [key, value] : json.as_object()) metadata.emplace_back(key, value.as_string());
  return metadata;
}

std::string_view type_name(const NamedTensor& item) {
  const auto row = std::ranges::find(kTypes, item.tensor.dtype(), &TypeRow::dtype);
  if (row == kTypes.end())
    throw Unsupported("tensor \"" + item.name + "\" is of type " + std::string(name_of(item.tensor.dtype())) +
                      ", which safetensors does not have");
  return row->name;
}

/// The tensors' numbers, for readers that look at the data in place: those first that leave the next one aligned, and
/// the larger elements before others.
std::vector<std::size_t> data_order(std::span<const NamedTensor> tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](std::size_t i) {
    const Tensor& tensor = tensors[i].tensor;
    return std::pair(tensor.byte_count() % kAlignment == 0, size_of(tensor.dtype()));
  });
  return order;
}

std::string header_of(std::span<const NamedTensor> tensors, const Metadata& metadata,
                      const std::vector<std::size_t>& order) {
  std::vector<std::uint64_t> begins(tensors.size());
  std::uint64_t position = 0;
  for (const std::size_t i : order) {
    begins[i] = position;
    position += tensors[i].tensor.byte_count();
  }
  std::vector<Json::Member> members;
  if (!metadata.empty()) {
    std::vector<Json::Member> texts(metadata.begin(), metadata.end());
    members.emplace_back(kMetadata, Json::Object(std::move(texts)));
  }
  for (std::size_t i = 0; i < tensors.size(); ++i)
    members.emplace_back(
        tensors[i].name,
        Json::Object{{"dtype", type_name(tensors[i])},
                     {"shape", Json::array(tensors[i].tensor.shape())},
                     {"data_offsets", Json::Array{begins[i], begins[i] + tensors[i].tensor.byte_count()}}});
  std::string text = Json(Json::Object(std::move(members))).dump();
  const std::size_t end = sizeof(std::uint64_t) + text.size();  // behind the header's length
  text.append((kAlignment - end % kAlignment) % kAlignment, ' ');
  return text;
}

}  // namespace

bool looks_like(const ByteSource& file) {
  if (file.size() < kLengthSize + 2) return false;
  std::array<std::byte, 1> brace{};
  file.read_at(kLengthSize, brace);
  return brace[0] == std::byte{'{'} && header_length(file) <= file.size() - kLengthSize;
}

File read(const ByteSourcePtr& file) {
  if (!looks_like(*file)) throw MalformedFile("safetensors: the length or the header is missing");
  const std::uint64_t length = header_length(*file);
  if (length > kLongestHeader) throw MalformedFile("safetensors: a header of " + std::to_string(length) + " bytes");
  std::string text(length, '\0');
  file->read_at(kLengthSize, std::as_writable_bytes(std::span(text)));
  const Json header = in_file("header", [&] { return Json::parse(text); });

  File result;
  std::vector<Extent> extents;
  const std::uint64_t data_begin = kLengthSize + length;
  const std::uint64_t data_size = file->size() - data_begin;
  std::vector<std::pair<std::string, Entry>> entries;
  for (const auto& [name, value] : header.as_object()) {
    if (name == kMetadata) {
      result.metadata = in_file(kMetadata, [&] { return metadata_from(value); });
      continue;
    }
    entries.emplace_back(name, in_file("tensor \"" + shortened(name) + "\"", [&] { return entry_from(name, value); }));
    extents.push_back(entries.back().second.extent);
  }
  check_extents(std::move(extents), data_size);
  for (auto& [name, entry] : entries) {
    const auto begin = static_cast<std::uint64_t>(entry.extent.begin);
    const auto size = static_cast<std::uint64_t>(entry.extent.end) - begin;
    result.tensors.push_back(
        {name, Tensor(entry.dtype, std::move(entry.shape), part_of(file, data_begin + begin, size))});
  }
  return result;
}

void write(std::span<const NamedTensor> tensors, const Metadata& metadata, std::ostream& out) {
  const std::vector<std::size_t> order = data_order(tensors);
  const std::string header = header_of(tensors, metadata, order);
  std::string length;
  append_little_endian(length, static_cast<std::uint64_t>(header.size()));
  out << length << header;
  std::vector<Tensor> data;
  std::uint64_t size = 0;
  for (const std::size_t i : order) {
    data.push_back(tensors[i].tensor);
    size += tensors[i].tensor.byte_count();
  }
  ReadAhead(std::move(data)).pass(size, [&](std::span<const std::byte> bytes) {
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  });
  out.flush();
  if (!out) throw SystemFailure("writing failed (disk full?)");
}

}  // namespace h5bridge::safetensors
