// What belongs together in a picture: models within the model, or else the modules that names tell of.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

struct NodeGroups {
  std::vector<std::string> names;                    // outer ones before those in them
  std::vector<std::optional<std::size_t>> parents;   // by the same index
  std::vector<std::optional<std::size_t>> of_nodes;  // the innermost that each node is in, in the architecture's order
};

/// The calls of scopes, where there are any. Otherwise modules by their paths, "layer1.0" in "layer1", if they have
/// several calls; what has no path (a function) is where all are that it gives its values to, and one that it takes
/// a value from.
NodeGroups groups_of(const Architecture& architecture);

}  // namespace h5bridge
