// Keras's mixed precision: layers whose dtype policy has them compute in another type than that of their weights.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// A line where layers have such a policy ("mixed_float16"), which neither PyTorch's modules nor ours follow; else
/// none.
std::vector<std::string> mixed_precision_left_out(const Architecture& architecture);

/// The name of a policy, which Keras writes alone or as an object; empty if `dtype` is neither.
std::string name_of_policy(const Json& dtype);
bool is_mixed_policy(const std::string& name);

}  // namespace h5bridge
