// From architectures to the configurations of Keras models.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "facets/keras/fused_activation.h"
#include "facets/keras/keras_plan.h"
#include "h5bridge/architecture.h"
#include "passes/float_types.h"

namespace h5bridge {

/// Plans `architecture`, already in the layout that Keras is to have. `weight_steps` are those of its LayoutChange;
/// `floats` are the types of the weights. An activation that `takes_within` is false for, and any that is a layer,
/// stands behind the layer that it is of. Throws Unsupported naming every layer that Keras cannot say.
KerasPlan plan_keras(const Architecture& architecture,
                     const std::map<std::string, std::vector<WeightStep>>& weight_steps = {},
                     const FloatTypes& floats = {}, TakesActivation takes_within = nullptr);

}  // namespace h5bridge
