#include <algorithm>
#include <numeric>

#include "facets/libtorch/affine.h"
#include "facets/libtorch/functional.h"
#include "facets/libtorch/layer.h"
#include "layers/layer_normalization/function.h"

namespace h5bridge::layer_normalization {
namespace {

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
  const auto module = std::make_shared<AffineModule>(a, a.integers("normalized_shape"));
  if (a.boolean("rms_scaling"))  // by the deviation, but without taking the mean off
    return unary(module, over_axes(a, [module, axes = static_cast<std::int64_t>(a.integers("normalized_shape").size()),
                                       eps = a.number("eps")](const torch::Tensor& input) {
                   std::vector<std::int64_t> last(axes);
                   std::iota(last.begin(), last.end(), -axes);
                   const torch::Tensor scaled =
                       input * torch::rsqrt(input.var(last, /*unbiased=*/false, /*keepdim=*/true) + eps);
                   return module->weight.defined() ? scaled * module->weight : scaled;
                 }));
  return unary(module, over_axes(a, [module, shape = a.integers("normalized_shape"),
                                     eps = a.number("eps")](const torch::Tensor& input) {
                 return torch::layer_norm(input, shape, module->weight, module->bias, eps);
               }));
}

TorchInstance rms_norm(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const auto module = std::make_shared<AffineModule>(a, a.integers("normalized_shape"));
  const std::optional<double> eps = a.is_none("eps") ? std::nullopt : std::optional(a.number("eps"));
  return unary(module, over_axes(a, [module, shape = a.integers("normalized_shape"), eps](const torch::Tensor& input) {
                 return torch::rms_norm(input, shape,
                                        module->weight.defined() ? std::optional(module->weight) : std::nullopt, eps);
               }));
}

// The sizes of the axes that are normalised, which may be open in the attribute.
at::IntArrayRef last_sizes(const torch::Tensor& input, const Attributes& a) {
  return input.sizes().slice(static_cast<std::size_t>(input.dim()) - a.sizes("normalized_shape").size());
}

TorchInstance layer_norm_of_values(const Layer& layer) {
  return function_of_operands(layer_norm_function(), [a = layer.attributes](const Operands& x) {
    return torch::layer_norm(x[0], last_sizes(x[0], a), given(x[1]), given(x[2]), a.number("eps"),
                             at::globalContext().userEnabledCuDNN());
  });
}

TorchInstance rms_norm_of_values(const Layer& layer) {
  return function_of_operands(rms_norm_function(), [a = layer.attributes](const Operands& x) {
    return torch::rms_norm(x[0], last_sizes(x[0], a), given(x[1]),
                           a.is_none("eps") ? std::nullopt : std::optional(a.number("eps")));
  });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"LayerNorm", layer_norm},
          {"RMSNorm", rms_norm},
          {"layer_norm", layer_norm_of_values},
          {"rms_norm", rms_norm_of_values}};
}

}  // namespace h5bridge::layer_normalization
