// Configurations of Keras 0 (0.2 and 0.3) in the form of Keras 1.
#pragma once

#include "h5bridge/json.h"

namespace h5bridge {

/// Whether it is what to_json() of Keras 0 gave: {"name": "Sequential", "layers": [...]}.
bool is_keras_0(const Json& model_config);

/// {"class_name": "Sequential", "config": [...]}. Layers that have no name of their own get one as Keras 1 gives them:
/// "dense_1". Throws Unsupported for a Graph.
Json keras_1_form(const Json& model_config);

}  // namespace h5bridge
