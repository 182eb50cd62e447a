// Whose names a file may have meant.
#pragma once

#include <vector>

#include "h5bridge/model.h"
#include "passes/weight_check.h"

namespace h5bridge {

/// Says with each missing tensor which of the unexpected ones, of those that have its shape, has the nearest name.
void add_nearest_names(const Model& model, std::vector<WeightProblem>& problems);

}  // namespace h5bridge
