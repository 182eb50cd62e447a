// Classes of layers that no mapping reads: users' own, Lambda, and what h5bridge does not have yet.
#pragma once

#include "h5bridge/json.h"

namespace h5bridge {

/// Whether a layer of a model's configuration, or of the models and wrappers in it, is of such a class, or the model
/// itself, so that it does not say what layers it has. Operations are none: of them the architecture JSON beside the
/// file tells.
bool has_unknown_layers(const Json& model_config);

}  // namespace h5bridge
