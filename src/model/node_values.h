#pragma once

#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// All that a call takes: its inputs, then those by name.
inline std::vector<Value> values_of(const Node& node) {
  std::vector<Value> result = node.inputs;
  for (const auto& [name, value] : node.named_inputs) result.push_back(value);
  return result;
}

}  // namespace h5bridge
