// The equations of Keras's EinsumDense: "ab,bc->ac", "...x,xy->...y", "xb...,xy->yb...".
#pragma once

#include <string>

#include "h5bridge/architecture.h"
#include "h5bridge/tensor.h"

namespace h5bridge::linear {

struct Einsum {
  std::string input, weight, output;  // letters, an axis each
  enum class Ellipsis {
    None,
    Left,
    Right
  } ellipsis = Ellipsis::None;  // where the input and the output have further axes
};

/// Throws MalformedFile for anything but the three forms that Keras has.
Einsum parse_einsum(const std::string& equation);
/// The shape of the result. Throws MalformedFile where the shapes do not fit the equation.
SymbolicShape einsum_shape(const Einsum& einsum, const SymbolicShape& input, const Shape& weight);
/// How many axes of the input its ellipsis stands for. Throws MalformedFile.
std::size_t elided_axes(const Einsum& einsum, const SymbolicShape& input);
/// The shape of a bias along the axes `bias_axes` of a result of shape `output`; the others have size 1. Throws
/// MalformedFile.
Shape einsum_bias_shape(const Einsum& einsum, const std::string& bias_axes, const SymbolicShape& output);

}  // namespace h5bridge::linear
