#include "h5bridge/dtype.h"

#include <array>

namespace h5bridge {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::size_t size;
  bool floating_point;
};

// In the order of the enumeration, so that a row is found by its index.
constexpr std::array<Row, 17> kRows{{
    {DType::Float64, "float64", 8, true},
    {DType::Float32, "float32", 4, true},
    {DType::Float16, "float16", 2, true},
    {DType::BFloat16, "bfloat16", 2, true},
    {DType::Float8E4M3FN, "float8_e4m3fn", 1, true},
    {DType::Float8E5M2, "float8_e5m2", 1, true},
    {DType::Int64, "int64", 8, false},
    {DType::Int32, "int32", 4, false},
    {DType::Int16, "int16", 2, false},
    {DType::Int8, "int8", 1, false},
    {DType::UInt64, "uint64", 8, false},
    {DType::UInt32, "uint32", 4, false},
    {DType::UInt16, "uint16", 2, false},
    {DType::UInt8, "uint8", 1, false},
    {DType::Bool, "bool", 1, false},
    {DType::Complex64, "complex64", 8, false},
    {DType::Complex128, "complex128", 16, false},
}};

constexpr bool rows_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i)
    if (kRows[i].dtype != static_cast<DType>(i)) return false;
  return true;
}
static_assert(rows_in_order());

const Row& row(DType dtype) { return kRows[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::size_t size_of(DType dtype) { return row(dtype).size; }
std::string_view name_of(DType dtype) { return row(dtype).name; }
bool is_floating_point(DType dtype) { return row(dtype).floating_point; }

std::optional<DType> dtype_named(std::string_view name) {
  for (const Row& candidate : kRows)
    if (candidate.name == name) return candidate.dtype;
  return std::nullopt;
}

}  // namespace h5bridge
