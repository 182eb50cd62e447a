// The functions linear and bilinear.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/spec/functional.h"

namespace h5bridge::linear {

Functional linear_function();
Functional bilinear_function();
std::vector<KerasMapping> function_mappings();

}  // namespace h5bridge::linear
