// The functions linear and bilinear.
#pragma once

#include "layers/functional.h"
#include "layers/keras_mapping.h"

namespace h5bridge::linear {

Functional linear_function();
Functional bilinear_function();
std::vector<KerasMapping> function_mappings();

}  // namespace h5bridge::linear
