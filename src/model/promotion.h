// PyTorch's type promotion. Source: c10/core/ScalarType.cpp, aten/src/ATen/native/TypeProperties.cpp.
#pragma once

#include <optional>

#include "h5bridge/dtype.h"

namespace h5bridge {

bool is_complex(DType dtype);
/// Neither floating-point nor complex: integers, and bool.
bool is_integral(DType dtype);

/// What tensors of these types give together (torch.promote_types). Of a pair that PyTorch refuses, `a`.
DType promoted(DType a, DType b);

/// What the operands of an operation give together (torch.result_type). A tensor without axes, and less so a number,
/// counts only where it is of a higher kind (bool, integers, floating-point, complex) than what has axes.
class Promotion {
 public:
  void add_tensor(DType dtype, bool has_axes);
  /// `integer`: what a number is that is one; PyTorch's is int64.
  void add_number(bool is_integer, DType integer = DType::Int64);
  /// nullopt where there was nothing.
  std::optional<DType> result() const;

 private:
  std::optional<DType> with_axes_;
  std::optional<DType> without_axes_;
  std::optional<DType> numbers_;
};

}  // namespace h5bridge
