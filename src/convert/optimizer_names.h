// An optimizer's parameters by name, in PyTorch's order of registration.
#pragma once

#include "convert/tied_state.h"
#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// Binds the state of the model's optimizer to the parameters that it belongs to (passes/parameter_order.h says
/// how numbers are understood), and puts the parameters of one that was Keras's in the order of module.parameters().
/// A model without architecture keeps its numbers unless options.param_order names them. An optimizer whose parameters
/// cannot be told is left out, and Model::optimizer_left_out and a note say why. To an optimizer of PyTorch's, the
/// names of a group of `untied` may still be one parameter: each gets its state. Throws UsageError where
/// options.param_order does not fit.
void name_optimizer(Model& model, const LoadOptions& options, const Ties& untied);

}  // namespace h5bridge
