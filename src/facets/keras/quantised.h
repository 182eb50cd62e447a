// Layers of Keras's whose weights are quantised.
#pragma once

#include "h5bridge/json.h"

namespace h5bridge {

/// Throws Unsupported where a layer's configuration says that it is quantised: its weights are not what its other
/// settings say of them.
void refuse_quantised(const Json::Object& config);

}  // namespace h5bridge
