#include "facets/libtorch/own_tensor.h"
#include "facets/libtorch/tensors.h"

namespace h5bridge::parameter {
namespace {

TorchInstance build(bool trained) {
  const auto holder = std::make_shared<OwnTensor>(trained);
  return {.module = holder,
          .forward = [holder](const TorchCall&) { return TorchValues{holder->value()}; },
          .is_tensor = true};
}

TorchInstance build_constant(const Layer& layer) {
  const torch::Tensor value = to_torch(layer.attributes.tensor("data"));
  return unary([value](const torch::Tensor& input) { return value.to(input.device()); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"Parameter", [](const Layer&) { return build(true); }},
          {"Buffer", [](const Layer&) { return build(false); }},
          {"new_tensor", build_constant}};
}

}  // namespace h5bridge::parameter
