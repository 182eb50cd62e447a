#pragma once

#include "h5bridge/tensor.h"

namespace h5bridge {

/// A convolution's kernel of Keras 2, turned round along its spatial axes: all but the last two. Theano applies kernels
/// so.
Tensor turned_round(const Tensor& kernel);

}  // namespace h5bridge
