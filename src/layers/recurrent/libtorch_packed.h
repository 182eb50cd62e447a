// An LSTM with its weights in the order that oneDNN wants, which LibTorch's own puts them in at every call.
#pragma once

#include <optional>

#include "layers/recurrent/libtorch_network.h"

namespace h5bridge::recurrent {

/// Sequence (and states) of torch::nn::LSTM with these attributes, without projection, in evaluation mode; nothing
/// where it has no biases or LibTorch no oneDNN. The tensors are those of `module`, packed for batches of inputs of
/// these sizes; others are right, too. nullopt is returned for a call that is the module's own: one without batch, or
/// without elements.
using PackedLSTM =
    std::function<std::optional<std::pair<torch::Tensor, TorchValues>>(const torch::Tensor& input, const TorchValues&)>;
PackedLSTM pack_lstm(const Attributes& attributes, const torch::nn::Module& module,
                     const std::vector<std::int64_t>& input_sizes);

}  // namespace h5bridge::recurrent
