#include "pytorch/types.h"

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

}  // namespace

std::string_view storage_class_of(DType dtype) {
  const auto found = std::ranges::find(kStorages, dtype, &StorageRow::dtype);
  return found == kStorages.end() ? std::string_view() : found->storage;
}

std::optional<DType> dtype_of_storage_class(std::string_view name) {
  const auto found = std::ranges::find(kStorages, name, &StorageRow::storage);
  return found == kStorages.end() ? std::nullopt : std::optional(found->dtype);
}

}  // namespace h5bridge
