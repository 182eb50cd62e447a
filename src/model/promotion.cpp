#include "model/promotion.h"

#include <algorithm>

namespace h5bridge {
namespace {

using Optional = std::optional<DType>;

bool is_wide_unsigned(DType dtype) {
  return dtype == DType::UInt64 || dtype == DType::UInt32 || dtype == DType::UInt16;
}

bool is_float8(DType dtype) { return is_floating_point(dtype) && size_of(dtype) == 1; }

DType promoted_complex(DType a, DType b) {
  const bool is_double = std::ranges::any_of(std::initializer_list<DType>{a, b},
                                             [](DType x) { return x == DType::Complex128 || x == DType::Float64; });
  return is_double ? DType::Complex128 : DType::Complex64;
}

DType promoted_floats(DType a, DType b) {
  if (size_of(a) == size_of(b)) return DType::Float32;  // float16 and bfloat16
  return size_of(a) > size_of(b) ? a : b;
}

// Signed integers and uint8. The signed one of two that are as large does not hold uint8.
DType promoted_integers(DType a, DType b) {
  if (size_of(a) == size_of(b)) return DType::Int16;
  return size_of(a) > size_of(b) ? a : b;
}

Optional both(Optional a, Optional b) { return a && b ? promoted(*a, *b) : a ? a : b; }

// `lower` changes the kind of `higher`, but not its size.
Optional combined(Optional higher, Optional lower) {
  if (!higher || !lower) return higher ? higher : lower;
  if (is_complex(*higher)) return higher;
  if (is_floating_point(*higher)) return is_complex(*lower) ? promoted_complex(*higher, DType::Bool) : higher;
  return *higher == DType::Bool || !is_integral(*lower) ? both(higher, lower) : higher;
}

void take(Optional& known, DType dtype) { known = both(known, dtype); }

}  // namespace

bool is_complex(DType dtype) { return dtype == DType::Complex64 || dtype == DType::Complex128; }
bool is_integral(DType dtype) { return !is_floating_point(dtype) && !is_complex(dtype); }

DType promoted(DType a, DType b) {
  if (a == b || is_float8(a) || is_float8(b)) return a;
  if (is_complex(a) || is_complex(b)) return promoted_complex(a, b);
  if (is_floating_point(a) && is_floating_point(b)) return promoted_floats(a, b);
  if (is_floating_point(a) || is_floating_point(b)) return is_floating_point(a) ? a : b;
  if (is_wide_unsigned(a) || is_wide_unsigned(b)) return a;
  if (a == DType::Bool || b == DType::Bool) return a == DType::Bool ? b : a;
  return promoted_integers(a, b);
}

void Promotion::add_tensor(DType dtype, bool has_axes) { take(has_axes ? with_axes_ : without_axes_, dtype); }

void Promotion::add_number(bool is_integer, DType integer) { take(numbers_, is_integer ? integer : DType::Float32); }

Optional Promotion::result() const { return combined(with_axes_, combined(without_axes_, numbers_)); }

}  // namespace h5bridge
