// From the configurations of Keras models to architectures.
#pragma once

#include "h5bridge/architecture.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// The architecture that a Keras configuration describes: {"class_name": "Sequential", "config": {...}}, as in a .h5
/// file's model_config or in model.to_json(). Throws Unsupported naming every layer that is not known, MalformedFile
/// otherwise.
Architecture architecture_from_keras(const Json& model_config);

}  // namespace h5bridge
