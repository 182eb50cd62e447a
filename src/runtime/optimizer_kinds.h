// The optimizers that LibTorch has.
#pragma once

#include <vector>

#include "facets/libtorch/optimizer.h"

namespace h5bridge {

const std::vector<OptimizerKind>& optimizer_kinds();

}  // namespace h5bridge
