// What the operations of a branch may not do, since those of the other one stand behind them in the same graph.
#pragma once

#include <cstddef>
#include <vector>

#include "facets/aten/graph.h"

namespace h5bridge::aten {

/// Throws Unsupported naming the first of the operations from `begin` on that writes into a tensor which none of them
/// has made, or into a view of one.
void refuse_changes_outside(const std::vector<Operation>& operations, std::size_t begin);

}  // namespace h5bridge::aten
