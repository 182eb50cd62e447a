// Products of matrices among the weights, with and without LibTorch the same to the bit.
#pragma once

#include <optional>

#include "h5bridge/tensor.h"

namespace h5bridge {

/// a @ b, added up in double precision, each element in the order of the sum, and rounded once. Throws MalformedFile if
/// the two do not fit.
Tensor product(const Tensor& a, const Tensor& b);

/// Whether two matrices of one shape are equal but for rounding: each row's error is small beside its largest element.
bool equal_but_for_rounding(const Tensor& a, const Tensor& b);

/// A matrix a with a @ b equal to `product` but for rounding: the least-squares solution. Of rows of `b` that the
/// others make superfluous it takes nothing. Nothing where no a has that product.
std::optional<Tensor> left_factor(const Tensor& product, const Tensor& b);

}  // namespace h5bridge
