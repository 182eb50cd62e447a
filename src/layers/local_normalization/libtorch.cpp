#include "facets/libtorch/layer.h"

namespace h5bridge::local_normalization {
namespace {

TorchInstance local_response_norm(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const torch::nn::LocalResponseNorm module(torch::nn::LocalResponseNormOptions(a.integer("size"))
                                                .alpha(a.number("alpha"))
                                                .beta(a.number("beta"))
                                                .k(a.number("k")));
  return unary(module.ptr(), in_data_format(a, module_call(module)));
}

// Source: torch/nn/functional.py, normalize.
TorchInstance normalize(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary([p = a.number("p"), dim = a.integers("dim"), eps = a.number("eps")](const torch::Tensor& input) {
    return input / torch::linalg_vector_norm(input, p, dim, /*keepdim=*/true).clamp_min(eps).expand_as(input);
  });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"LocalResponseNorm", local_response_norm}, {"normalize", normalize}};
}

}  // namespace h5bridge::local_normalization
