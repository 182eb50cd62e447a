// What Keras 3's archives say of how a layer was built, beside its configuration: the shape of its input, by which
// Keras makes its variables before it loads them (Layer.get_build_config).
#pragma once

#include <map>
#include <string>

#include "keras/tree.h"

namespace h5bridge {

/// {"input_shape": [null, 3]} of a layer by its first call; null where that takes more than one tensor or list.
Json build_config(const KerasLayer& layer);

/// A model's configuration with those of its layers, by KerasBinding::layer, with its own and with those of the models
/// within it. None of the models is compiled.
Json with_build_configs(Json model_config, const std::map<std::string, Json>& layers);

}  // namespace h5bridge
