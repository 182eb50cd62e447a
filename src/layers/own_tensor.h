// The module of a layer that is a tensor of its parent's.
#pragma once

#include "layers/torch_layer.h"

namespace h5bridge {

class OwnTensor : public torch::nn::Module {
 public:
  explicit OwnTensor(bool trained) {
    const torch::Tensor value = torch::empty({0});
    trained ? register_parameter(kOwnTensor, value) : register_buffer(kOwnTensor, value);
  }

  const torch::Tensor& value() const { return is_parameter() ? parameters_[kOwnTensor] : buffers_[kOwnTensor]; }
  bool is_parameter() const { return !parameters_.is_empty(); }
  /// Becomes the same tensor as another layer's.
  void tie_to(const torch::Tensor& tensor) { (is_parameter() ? parameters_ : buffers_)[kOwnTensor] = tensor; }
};

}  // namespace h5bridge
