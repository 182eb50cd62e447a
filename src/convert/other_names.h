// The tensors of a state_dict for a network that calls them otherwise: their architecture, my weights.
#pragma once

#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// Renames the tensors of a model whose architecture has none of their names, where it is plain which is which: each
/// has another shape, or another last part of its name (weight, bias); with LoadOptions::match by order, the first is
/// the first. Both need all shapes to fit. Says in the model's notes which was taken for which. Any other model stays
/// as it is.
void take_other_names(Model& model, const LoadOptions& options);

/// Whether that could be, were it asked to go by order.
bool fit_in_order(const Model& model);

}  // namespace h5bridge
