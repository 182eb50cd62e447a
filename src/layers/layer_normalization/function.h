// The functions layer_norm and rms_norm. Their sizes may be open.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/spec/functional.h"

namespace h5bridge::layer_normalization {

Functional layer_norm_function();
Functional rms_norm_function();
std::vector<LayerType> function_types();
std::vector<KerasMapping> function_mappings();

}  // namespace h5bridge::layer_normalization
