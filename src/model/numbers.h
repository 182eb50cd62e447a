// Elements of any type as floating-point numbers.
#pragma once

#include <vector>

#include "h5bridge/tensor.h"

namespace h5bridge {

/// Complex numbers as pairs of floats on a last axis; anything else as it is.
Tensor with_real_elements(const Tensor& tensor);

/// The elements as doubles, in row-major order. Throws Unsupported for types that have no conversion.
std::vector<double> as_doubles(const Tensor& tensor);

/// Numbers of any type as those of the floating-point type `dtype`. Throws as as_doubles does.
Tensor floats_of(const Tensor& tensor, DType dtype);

}  // namespace h5bridge
