// The activation that a layer of Keras's has within it.
#pragma once

#include "facets/torch_source/source.h"

namespace h5bridge {

/// `result` of a layer, followed by its attribute `activation`, along the axis that `activation_axis` says. Throws
/// Unsupported for a name that keras.activations lacks.
Python with_activation(const SourceCall& call, Python result);
/// A function of keras.activations by its name, as Python's: "torch.tanh", "lambda x: F.elu(x)". The helpers that it
/// needs are added to `helpers`.
Python keras_activation_function(const std::string& name, std::vector<const PythonHelper*>& helpers);

}  // namespace h5bridge
