// A whole model, weights and training state included, in another data format.
#pragma once

#include <optional>

#include "h5bridge/h5bridge.h"
#include "passes/layout.h"

namespace h5bridge {

/// The model as PyTorch has it with its channels first or last; weights are views of the old ones. A model without
/// architecture stays as it is.
Model to_data_format(const Model& model, DataFormat wanted);

/// The architecture as a PyTorch destination states it: channels first. Of a Keras model whose graph the layout pass
/// would not give back (a Permute that vanished), Keras's own is kept within (see keras_original), and how
/// Keras has its inputs and outputs (passes/presentation.h).
Architecture architecture_for_torch(const Architecture& architecture);

/// The model as Keras had it before architecture_for_torch; nullopt if it never was Keras's, comes back by the layout
/// pass alone, or its graph was changed since.
std::optional<Model> keras_original(const Model& model);

}  // namespace h5bridge
