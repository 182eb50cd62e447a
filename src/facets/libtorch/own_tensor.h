// The module of a layer that is a tensor of its parent's.
#pragma once

#include "facets/libtorch/layer.h"

namespace h5bridge {

class OwnTensor : public torch::nn::Module {
 public:
  explicit OwnTensor(bool is_parameter)
      : is_parameter_(is_parameter),
        value_(is_parameter ? register_parameter(kOwnTensor, torch::empty({0}))
                            : register_buffer(kOwnTensor, torch::empty({0}))) {}

  bool is_parameter() const { return is_parameter_; }
  const torch::Tensor& value() const { return value_; }
  /// Becomes the same tensor as another layer's.
  void tie_to(const torch::Tensor& tensor) { value_ = tensor; }

 private:
  const bool is_parameter_;
  torch::Tensor& value_;  // as the module holds it
};

}  // namespace h5bridge
