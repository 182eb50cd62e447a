// What the Keras facets of plain and transposed convolutions share.
#pragma once

#include <vector>

#include "layers/keras_mapping.h"

namespace h5bridge {

/// The rows of a convolution, in the order of Keras's configurations, behind `own`, those of the class.
std::vector<Correspondence> kernel_rows(std::size_t axes, std::vector<Correspondence> own);
/// The rules of a weight, which `steps` make Keras's kernel, and of the bias, if there is one.
WeightRules kernel_weights(const Attributes& attributes, std::vector<WeightStep> steps);

}  // namespace h5bridge
