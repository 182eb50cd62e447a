// What Keras calls the outputs of a model: the layers that make them.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// Fills in Output::keras_layer, one name for each output.
void name_keras_outputs(Architecture& architecture, const std::vector<std::string>& names);

/// The same, as the Keras model of `architecture`, which may be in either layout, has them. Throws
/// Unsupported naming every layer that Keras cannot say.
void name_keras_outputs(Architecture& architecture);

}  // namespace h5bridge
