// Keras's `same` as Python source.
#pragma once

#include "facets/spec/window.h"
#include "facets/torch_source/source.h"

namespace h5bridge {

/// def pad_same(x, kernel_size, stride, dilation, mode, value): spatial axes lengthened as Keras and TensorFlow do.
extern const PythonHelper kPadSame;

/// `x`, whose channels are on axis 1, lengthened as `same` asks for windows of the layer's. Where its sizes are known,
/// so are the margins.
Python padded_same(const SourceCall& call, const Python& x, const std::string& mode, const std::string& value);

}  // namespace h5bridge
