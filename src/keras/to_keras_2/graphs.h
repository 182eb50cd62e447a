// Models that are a chain of layers in Keras 3, and a graph in Keras 2, which says some of those by several.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// Whether each tf.keras of TensorFlow 2 can have the activation of this name as another layer's own.
bool takes_within_in_keras_2(const std::string& activation);

/// Makes Functional models of the Sequential ones of `architecture`, which `model_config` is the plan of, that have to
/// be a graph, and takes its wrappers away where what they wrap does. Adds to `notes` which. Returns whether there was
/// any, so that it has to be planned again.
bool make_graphs(Architecture& architecture, const Json& model_config, std::vector<std::string>& notes);

}  // namespace h5bridge
