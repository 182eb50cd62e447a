// What belongs together in a picture: models within the model, or else the modules that names tell of.
#pragma once

#include <cstddef>
#include <functional>
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
/// a value from. A sum of what a module was given and what it made of it is in that module, and so is the function
/// behind it, if that `keeps_shape`.
NodeGroups groups_of(const Architecture& architecture, const std::function<bool(const Node&)>& keeps_shape);

}  // namespace h5bridge
