// Recurrent networks with the settings that Keras has and LibTorch's own modules lack, step by step.
#pragma once

#include "facets/libtorch/layer.h"
#include "layers/recurrent/kinds.h"

namespace h5bridge::recurrent {

/// What a network gives: the output of every step, laid out as its input; the states as PyTorch has them; and the
/// output of the last step of each direction of the last layer, which masks may keep from being its state.
struct NetworkOutputs {
  torch::Tensor sequence;
  TorchValues states;
  torch::Tensor last;
};

/// The computation, for the parameters of whichever module has them.
class Steps {
 public:
  Steps(const Kind& kind, const Attributes& attributes);
  /// `initial` is empty, or has states as PyTorch has them. `mask`, if defined, is (batch, time): where it is false,
  /// states stay as they are, and the output is that of the step before, or zeros.
  NetworkOutputs run(const torch::nn::Module& module, const torch::Tensor& input, const TorchValues& initial,
                     const torch::Tensor& mask) const;

 private:
  const Kind& kind_;
  Attributes attributes_;
  TorchFunction activation_;
  TorchFunction recurrent_activation_;
};

/// Of dropout: the same in every step of a call. None, one for all gates, or one a gate.
struct DropoutMasks {
  TorchValues input, hidden;
  bool are_drawn = false;
};

/// One step of one cell, for the parameters of whichever module has them.
class CellStep {
 public:
  CellStep(const Kind& kind, const Attributes& attributes);
  /// The states after it. In training `masks` are drawn where they are not yet.
  TorchValues run(const torch::nn::Module& module, const torch::Tensor& input, const TorchValues& states,
                  DropoutMasks& masks) const;

 private:
  const Kind& kind_;
  Attributes attributes_;
  TorchFunction activation_;
  TorchFunction recurrent_activation_;
};

/// A module with the parameters of torch::nn::LSTM, GRU or RNN, under the same names.
class NetworkImpl : public torch::nn::Module {
 public:
  NetworkImpl(const Kind& kind, const Attributes& attributes);
};
TORCH_MODULE(Network);

}  // namespace h5bridge::recurrent
