// Keras's Einsum as products of matrices.
#pragma once

#include "keras/to_keras_2/parts.h"

namespace h5bridge {

/// The sum of products of one or two tensors, "abc,dbc->bad", by transpositions, a product of matrices or of elements,
/// and sums. Throws Unsupported for an axis that one operand has twice, and for more than two operands.
Json einsum_in_parts(Parts& parts, const std::string& subscripts, const Json::Array& tensors);

}  // namespace h5bridge
