// What the identity of tensors says of an architecture whose state_dict is known.
#pragma once

#include <vector>

#include "files/pt2_archive.h"
#include "h5bridge/architecture.h"

namespace h5bridge {

/// A module that is registered under two names is one layer, called from both: two would keep running statistics of
/// their own, which no tie holds together. (Parameters alone may be tied as well.)
void join_registered_twice(Architecture& architecture, const std::vector<Pt2Tensor>& tensors);

/// The state_dict's names in their order, buffers, frozen and unused tensors, aliases and ties, as
/// tools/h5bridge_export.py has them of a module.
void add_registered(Architecture& architecture, const std::vector<Pt2Tensor>& tensors);

}  // namespace h5bridge
