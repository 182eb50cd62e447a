// The functions conv1d, conv2d and conv3d.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/spec/functional.h"

namespace h5bridge::convolution {

Functional function(std::size_t axes);
KerasMapping function_mapping(std::size_t axes);

}  // namespace h5bridge::convolution
