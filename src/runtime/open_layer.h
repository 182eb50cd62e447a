// Layers that hang on what only a call tells: integers that are open, and settings of a call that are more than on or
// off.
#pragma once

#include <set>
#include <string>

#include "facets/libtorch/layer.h"

namespace h5bridge {

/// The layers of the architecture that a call tells more of.
std::set<std::string> layers_told_by_calls(const Architecture& architecture);

/// An instance that is built anew for each call, with numbers in place of the symbols and the call's settings in place
/// of the layer's. Tensors and the mode, training or not, are those of one module, whatever the settings.
TorchInstance build_open_layer(const Layer& layer);

/// The layer's settings in one call of it. Throws UsageError where the inputs do not tell an open integer.
Attributes settings_in_call(const Layer& layer, const Attributes& settings, const Symbols& symbols);

}  // namespace h5bridge
