// What a layer keeps of one call for its next one: the states of a recurrent layer that Keras calls stateful. No
// state_dict has them.
#pragma once

#include <torch/torch.h>

#include <optional>
#include <vector>

namespace h5bridge {

class KeptStates {
 public:
  /// Of the type and on the device of `input`, as to() does not reach them; none before the first call.
  std::vector<torch::Tensor> states_for(const torch::Tensor& input) const {
    std::vector<torch::Tensor> result;
    for (const torch::Tensor& state : states_) result.push_back(state.to(input.options()));
    return result;
  }

  /// Without what their gradients would need.
  void keep(const std::vector<torch::Tensor>& states) {
    states_.clear();
    for (const torch::Tensor& state : states) states_.push_back(state.detach());
  }

  /// Copies those of another layer, to `device` if there is one.
  void copy(const KeptStates& other, const std::optional<torch::Device>& device) {
    states_.clear();
    for (const torch::Tensor& state : other.states_)
      states_.push_back(state.clone().to(device.value_or(state.device())));
  }

 private:
  std::vector<torch::Tensor> states_;
};

}  // namespace h5bridge
