// Whether two configurations of Keras name the same layers with the same settings: for networks that have layers of
// which no more is known.
#pragma once

#include <vector>

#include "h5bridge/json.h"
#include "passes/network_difference.h"

namespace h5bridge {

/// Compares model configurations of Keras 3 layer by layer, by their names: classes, settings that are plain values,
/// and which layers' outputs each takes. A layer that only one of them names is a possible difference.
std::vector<NetworkDifference> configuration_differences(const Json& there, const Json& here,
                                                         const NetworkNames& names = {});

}  // namespace h5bridge
