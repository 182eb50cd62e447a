// What the normalisations share at run time.
#pragma once

#include <torch/torch.h>

#include "facets/libtorch/layer.h"
#include "facets/spec/affine.h"
#include "facets/spec/named_axis.h"

namespace h5bridge {

/// Holds the parameters of a normalisation that LibTorch has no module for.
class AffineModule : public torch::nn::Module {
 public:
  AffineModule(const Attributes& attributes, const std::vector<std::int64_t>& shape) {
    const Affine affine = affine_of(attributes);
    if (affine.weight) weight = register_parameter("weight", torch::ones(shape));
    if (affine.bias) bias = register_parameter("bias", torch::zeros(shape));
  }
  torch::Tensor weight;
  torch::Tensor bias;
};

/// `forward`, which wants its channels on axis 1, for an input whose channels stand where the attributes say.
inline TorchFunction over_normalised_axis(const Attributes& attributes, TorchFunction forward) {
  if (!has_axis(attributes)) return in_data_format(attributes, std::move(forward));
  return [forward = std::move(forward), axis = attributes.integer("axis")](const torch::Tensor& input) {
    return forward(input.movedim(axis, 1)).movedim(1, axis);
  };
}

}  // namespace h5bridge
