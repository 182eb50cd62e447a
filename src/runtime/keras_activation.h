// The functions of keras.activations by name.
#pragma once

#include <string_view>

#include "layers/torch_layer.h"

namespace h5bridge {

/// With the arguments that Keras has where only a name is given. Throws Unsupported for a name that it does not have.
TorchFunction keras_activation(std::string_view name);

}  // namespace h5bridge
