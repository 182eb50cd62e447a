// Keras's recurrent layers as TorchScript.
#pragma once

#include <string>

#include "facets/torch_source/source.h"

namespace h5bridge::recurrent {

/// What TorchScript has for the class KerasLSTM, KerasGRU or KerasRNN, whose steps are one operator's. Empty for a
/// stateful layer, whose state would have to outlive the call.
std::string script_at_once(const Layer& layer);
/// Likewise for KerasRecurrent, step by step; of `made` the activations are.
std::string script_of_steps(const Layer& layer, const Constructor& made);

}  // namespace h5bridge::recurrent
