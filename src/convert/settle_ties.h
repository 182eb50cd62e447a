// Parameters that are one: head.weight, which is tok.weight.
#pragma once

#include "convert/tied_state.h"

namespace h5bridge {

/// Brings the ties that the architecture states and those that the tensors themselves tell (one view under two names)
/// together: names that are tied have one tensor, also those of which the source has but one. Tied tensors that differ
/// stay as they are, for check_weights to refuse; with `untie`, they are tied no more. Returns the groups of those.
Ties settle_ties(Model& model, bool untie);

/// Adds a group of names to the ties of an architecture, as far as they are its parameters and not tied already.
void add_tie(Architecture& architecture, const std::vector<std::string>& names);

}  // namespace h5bridge
