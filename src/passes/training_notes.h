// In what a training run that goes on in the other framework does not go on alike.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// A line for each setting of a layer that a step of training follows otherwise there, unless `trainable` (by the
/// state_dict's names) has all of the layer's parameters as frozen.
std::vector<std::string> unlike_in_training(const Architecture& architecture,
                                            const std::map<std::string, bool>& trainable);

}  // namespace h5bridge
