// Keras's ConvLSTM layers as TorchScript.
#pragma once

#include <string>

#include "facets/torch_source/source.h"

namespace h5bridge::conv_lstm {

/// What TorchScript has for the class ConvLSTM; of `made` the activations are. The states of a stateful layer are
/// attributes that a call sets.
std::string script_of(const Layer& layer, const Constructor& made);

}  // namespace h5bridge::conv_lstm
