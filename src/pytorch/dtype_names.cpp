#include "pytorch/dtype_names.h"

#include <algorithm>
#include <array>

namespace h5bridge {
namespace {

struct StorageRow {
  DType dtype;
  std::string_view storage;
};

constexpr std::array<StorageRow, 12> kStorages{{
    {DType::Float64, "DoubleStorage"},
    {DType::Float32, "FloatStorage"},
    {DType::Float16, "HalfStorage"},
    {DType::BFloat16, "BFloat16Storage"},
    {DType::Int64, "LongStorage"},
    {DType::Int32, "IntStorage"},
    {DType::Int16, "ShortStorage"},
    {DType::Int8, "CharStorage"},
    {DType::UInt8, "ByteStorage"},
    {DType::Bool, "BoolStorage"},
    {DType::Complex64, "ComplexFloatStorage"},
    {DType::Complex128, "ComplexDoubleStorage"},
}};

struct SizeRow {
  std::string_view storage;
  std::size_t size;
};

// Bytes without a type, and what quantized tensors are kept in.
constexpr std::array<SizeRow, 6> kSizes{{
    {"UntypedStorage", 1},
    {"QInt8Storage", 1},
    {"QUInt8Storage", 1},
    {"QInt32Storage", 4},
    {"QUInt4x2Storage", 1},
    {"QUInt2x4Storage", 1},
}};

}  // namespace

std::string_view storage_class_of(DType dtype) {
  const auto found = std::ranges::find(kStorages, dtype, &StorageRow::dtype);
  return found == kStorages.end() ? std::string_view() : found->storage;
}

std::optional<DType> dtype_of_storage_class(std::string_view name) {
  const auto found = std::ranges::find(kStorages, name, &StorageRow::storage);
  return found == kStorages.end() ? std::nullopt : std::optional(found->dtype);
}

std::optional<std::size_t> element_size_of_storage_class(std::string_view name) {
  if (const auto dtype = dtype_of_storage_class(name)) return size_of(*dtype);
  const auto found = std::ranges::find(kSizes, name, &SizeRow::storage);
  return found == kSizes.end() ? std::nullopt : std::optional(found->size);
}

}  // namespace h5bridge
