#include "facets/libtorch/affine.h"
#include "facets/libtorch/functional.h"
#include "facets/libtorch/layer.h"
#include "layers/group_normalization/function.h"

namespace h5bridge::group_normalization {
namespace {

// Without gradients of its own, the input has to be contiguous for the backward pass of PyTorch 2.13.
torch::Tensor for_training(const torch::Tensor& input) {
  return torch::GradMode::is_enabled() && !input.requires_grad() ? input.contiguous() : input;
}

TorchInstance group_norm(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const auto module = std::make_shared<AffineModule>(a, std::vector{a.integer("num_channels")});
  return unary(module, over_normalised_axis(a, [module, groups = a.integer("num_groups"),
                                                eps = a.number("eps")](const torch::Tensor& input) {
                 return torch::group_norm(for_training(input), groups, module->weight, module->bias, eps);
               }));
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  const auto functional = [](const Layer& layer) {
    const Attributes& a = layer.attributes;
    return function_of_operands(function(), a,
                                [groups = a.integer("num_groups"), eps = a.number("eps")](const Operands& x) {
                                  return torch::group_norm(for_training(x[0]), groups, given(x[1]), given(x[2]), eps);
                                });
  };
  return {{"GroupNorm", group_norm}, {"group_norm", functional}};
}

}  // namespace h5bridge::group_normalization
