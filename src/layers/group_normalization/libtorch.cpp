#include "layers/torch_layer.h"

namespace h5bridge::group_normalization {
namespace {

// LibTorch's GroupNorm has a weight and a bias or neither; Keras's may have one of them.
class GroupNormImpl : public torch::nn::Module {
 public:
  GroupNormImpl(std::int64_t channels, bool has_weight, bool has_bias) {
    if (has_weight) weight = register_parameter("weight", torch::ones({channels}));
    if (has_bias) bias = register_parameter("bias", torch::zeros({channels}));
  }
  torch::Tensor weight;
  torch::Tensor bias;
};

TorchInstance group_norm(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const bool affine = a.boolean("affine");
  const auto module = std::make_shared<GroupNormImpl>(a.integer("num_channels"), affine && a.boolean("scale"), affine && a.boolean("center"));
  return unary(module, in_data_format(a, [module, groups = a.integer("num_groups"), eps = a.number("eps")](const torch::Tensor& input) {
                 return torch::group_norm(input, groups, module->weight, module->bias, eps);
               }));
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"GroupNorm", group_norm}}; }

}  // namespace h5bridge::group_normalization
