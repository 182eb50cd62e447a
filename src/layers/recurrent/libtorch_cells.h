// Single steps of recurrent networks, and stacks of cells that are stepped through time.
#pragma once

#include "facets/libtorch/layer.h"
#include "layers/recurrent/libtorch_network.h"

namespace h5bridge::recurrent {

/// What computes a step of a cell.
class Cell {
 public:
  explicit Cell(const Layer& layer);
  const TorchModulePtr& module() const { return module_; }
  std::size_t states() const { return static_cast<std::size_t>(kind_.states); }
  /// Zeros, one for each state.
  TorchValues first_states(const torch::Tensor& input) const;
  /// The states after a step; the first is the output. `masks` of dropout are made where there are none yet.
  TorchValues step(const torch::Tensor& input, const TorchValues& states, DropoutMasks& masks) const;

 private:
  using Run = std::function<TorchValues(const torch::Tensor& input, const TorchValues& states, DropoutMasks& masks)>;

  const Kind& kind_;
  std::int64_t hidden_size_;
  TorchModulePtr module_;
  Run run_;
};

TorchInstance cell_instance(const Layer& layer);
TorchInstance stacked_cells_instance(const Layer& layer);

}  // namespace h5bridge::recurrent
