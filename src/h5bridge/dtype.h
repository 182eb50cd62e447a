// Element types of tensors.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace h5bridge {

/// Named as torch and numpy name them; float8 types as torch does.
enum class DType {
  Float64,
  Float32,
  Float16,
  BFloat16,
  Float8E4M3FN,
  Float8E5M2,
  Int64,
  Int32,
  Int16,
  Int8,
  UInt64,
  UInt32,
  UInt16,
  UInt8,
  Bool,
  Complex64,
  Complex128,
};

/// Bytes an element takes.
std::size_t size_of(DType dtype);

/// "float32", "bool", "float8_e4m3fn", ...
std::string_view name_of(DType dtype);

/// The inverse of name_of; nullopt for any other word.
std::optional<DType> dtype_named(std::string_view name);

bool is_floating_point(DType dtype);

}  // namespace h5bridge
