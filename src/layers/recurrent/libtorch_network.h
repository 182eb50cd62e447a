// Recurrent networks with the settings that Keras has and LibTorch's own modules lack, step by step.
#pragma once

#include "layers/recurrent/kinds.h"
#include "layers/torch_layer.h"

namespace h5bridge::recurrent {

/// A module with the parameters of torch::nn::LSTM, GRU or RNN, under the same names.
class NetworkImpl : public torch::nn::Module {
 public:
  NetworkImpl(const Kind& kind, const Attributes& attributes);
  /// The output of every step, laid out as the input, and the states as PyTorch has them. `initial` is empty, or has such
  /// states.
  TorchValues forward(const torch::Tensor& input, const TorchValues& initial);

 private:
  const Kind& kind_;
  Attributes attributes_;
  TorchFunction activation_;
  TorchFunction recurrent_activation_;
};
TORCH_MODULE(Network);

}  // namespace h5bridge::recurrent
