// A whole model, weights and training state included, in another data format.
#pragma once

#include "h5bridge/h5bridge.h"
#include "passes/layout.h"

namespace h5bridge {

/// The model with its channels first or last; weights are views of the old ones. A model without architecture stays as it is.
Model to_data_format(const Model& model, DataFormat wanted);

}  // namespace h5bridge
