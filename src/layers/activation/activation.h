// What is declared in one file of this family and listed in another.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/spec/functional.h"
#include "facets/spec/layer_type.h"

namespace h5bridge::activation {

LayerType prelu();
KerasMapping prelu_mapping();
Functional prelu_function();
KerasMapping prelu_function_mapping();

}  // namespace h5bridge::activation
