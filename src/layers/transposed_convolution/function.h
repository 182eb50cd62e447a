// The functions conv_transpose1d, conv_transpose2d and conv_transpose3d.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/spec/functional.h"

namespace h5bridge::transposed_convolution {

Functional function(std::size_t axes);
KerasMapping function_mapping(std::size_t axes);

/// What a plain convolution with the kernel turned runs over: the input with zeros between its elements and around
/// them.
KerasEmitter::Handle emit_convolved(const Attributes& attributes, KerasEmitter& emitter, KerasEmitter::Handle input);

}  // namespace h5bridge::transposed_convolution
