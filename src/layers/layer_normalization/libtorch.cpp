#include <algorithm>
#include <numeric>

#include "layers/torch_layer.h"

namespace h5bridge::layer_normalization {
namespace {

// Holds the parameters under PyTorch's names. LibTorch's LayerNorm has both or neither, and it has no RMSNorm.
class AffineImpl : public torch::nn::Module {
 public:
  AffineImpl(const std::vector<std::int64_t>& shape, bool has_weight, bool has_bias) {
    if (has_weight) weight = register_parameter("weight", torch::ones(shape));
    if (has_bias) bias = register_parameter("bias", torch::zeros(shape));
  }
  torch::Tensor weight;
  torch::Tensor bias;
};

// `forward`, which normalises the last axes, over those that the attribute `axes` names.
TorchFunction over_axes(const Attributes& a, TorchFunction forward) {
  if (a.is_none("axes")) return forward;
  return [axes = a.integers("axes"), forward = std::move(forward)](const torch::Tensor& input) {
    std::vector<std::int64_t> order;
    for (std::int64_t axis = 0; axis < input.dim(); ++axis)
      if (std::find(axes.begin(), axes.end(), axis) == axes.end()) order.push_back(axis);
    order.insert(order.end(), axes.begin(), axes.end());
    std::vector<std::int64_t> back(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) back[order[i]] = static_cast<std::int64_t>(i);
    return forward(input.permute(order)).permute(back);
  };
}

TorchInstance layer_norm(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const bool affine = a.boolean("elementwise_affine");
  const auto module = std::make_shared<AffineImpl>(a.integers("normalized_shape"), affine && a.boolean("scale"), affine && a.boolean("bias"));
  return unary(module, over_axes(a, [module, shape = a.integers("normalized_shape"), eps = a.number("eps")](const torch::Tensor& input) {
                 return torch::layer_norm(input, shape, module->weight, module->bias, eps);
               }));
}

TorchInstance rms_norm(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const auto module = std::make_shared<AffineImpl>(a.integers("normalized_shape"), a.boolean("elementwise_affine"), false);
  const std::optional<double> eps = a.is_none("eps") ? std::nullopt : std::optional(a.number("eps"));
  return unary(module, over_axes(a, [module, shape = a.integers("normalized_shape"), eps](const torch::Tensor& input) {
                 return torch::rms_norm(input, shape, module->weight.defined() ? std::optional(module->weight) : std::nullopt, eps);
               }));
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"LayerNorm", layer_norm}, {"RMSNorm", rms_norm}}; }

}  // namespace h5bridge::layer_normalization
