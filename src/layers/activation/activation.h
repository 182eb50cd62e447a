// What is declared in one file of this family and listed in another.
#pragma once

#include "layers/functional.h"
#include "layers/keras_mapping.h"
#include "layers/layer_type.h"

namespace h5bridge::activation {

LayerType prelu();
KerasMapping prelu_mapping();
Functional prelu_function();
KerasMapping prelu_function_mapping();

}  // namespace h5bridge::activation
