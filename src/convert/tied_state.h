// The optimizer's state of parameters that are one: PyTorch has it once, Keras for each variable.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "h5bridge/model.h"

namespace h5bridge {

using Ties = std::vector<std::vector<std::string>>;

/// Whether a parameter's slots are the same, bit for bit.
bool are_equal(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b);

/// The optimizer as if each name of a tie that is among `variables` were a parameter of its own, with equal state.
Optimizer with_state_of_each(Optimizer optimizer, const Ties& ties, const std::set<std::string>& variables);

/// The other way. Throws Unsupported naming two whose states differ.
void make_state_one(Optimizer& optimizer, const Ties& ties);

}  // namespace h5bridge
