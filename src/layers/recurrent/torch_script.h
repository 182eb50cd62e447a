// Keras's recurrent layers as TorchScript.
#pragma once

#include <string>
#include <vector>

#include "facets/torch_source/source.h"

namespace h5bridge::recurrent {

/// What TorchScript has for the class KerasLSTM, KerasGRU or KerasRNN, whose steps are one operator's. The states of a
/// stateful layer are attributes that a call sets.
std::string script_at_once(const Layer& layer);
/// Likewise for KerasRecurrent, step by step; of `made` the activations are.
std::string script_of_steps(const Layer& layer, const Constructor& made);
/// Likewise for KerasCell.
std::string script_of_cell(const Layer& layer, const Constructor& made);
/// Likewise for StackedRNNCells; `draws` says of each cell whether it is a KerasCell, which draws dropout's masks once.
std::string script_of_stack(const Layer& layer, const std::vector<bool>& draws);

}  // namespace h5bridge::recurrent
