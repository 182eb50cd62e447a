#include "facets/libtorch/layer.h"
#include "facets/libtorch/tensors.h"

namespace h5bridge::scattering {
namespace {

using torch::Tensor;

TorchInstance build_one_hot(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary([count = a.integer("num_classes"), type = scalar_type_of(a.dtype("dtype"))](const Tensor& x) {
    return torch::one_hot(x.to(torch::kInt64), count).to(type);
  });
}

TorchInstance build_scatter(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const auto value = a.is_none("value") ? std::nullopt : std::optional(scalar_of(a.at("value")));
  return function_of_all([value, dim = a.integer("dim")](const TorchValues& inputs) {
    return value ? torch::scatter(inputs.at(0), dim, inputs.at(1), *value)
                 : torch::scatter(inputs.at(0), dim, inputs.at(1), inputs.at(2));
  });
}

TorchInstance build_scatter_add(const Layer& layer) {
  return function_of_all([dim = layer.attributes.integer("dim")](const TorchValues& inputs) {
    return torch::scatter_add(inputs.at(0), dim, inputs.at(1), inputs.at(2));
  });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"one_hot", build_one_hot}, {"scatter", build_scatter}, {"scatter_add", build_scatter_add}};
}

}  // namespace h5bridge::scattering
