#pragma once

#include "h5bridge/torch.h"

namespace h5bridge {

/// The state of `optimizer` by the names of the module's parameters. `source`, if any, is what the model was read with:
/// it has the hyperparameters that PyTorch has and LibTorch does not.
Optimizer capture_optimizer(const Module& module, const torch::optim::Optimizer& optimizer, const Optimizer* source);

}  // namespace h5bridge
