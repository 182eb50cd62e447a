#include "facets/libtorch/own_tensor.h"

namespace h5bridge::parameter {
namespace {

TorchInstance build(bool trained) {
  const auto holder = std::make_shared<OwnTensor>(trained);
  return {.module = holder,
          .forward = [holder](const TorchCall&) { return TorchValues{holder->value()}; },
          .is_tensor = true};
}

torch::ScalarType scalar_type(const std::string& name) {
  if (name == "float64") return torch::kFloat64;
  if (name == "int32") return torch::kInt32;
  if (name == "bool") return torch::kBool;
  return name == "int64" ? torch::kInt64 : torch::kFloat32;
}

TorchInstance build_constant(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const torch::Tensor value =
      torch::tensor(a.numbers("data"), torch::kFloat64).view(a.integers("shape")).to(scalar_type(a.text("dtype")));
  return unary([value](const torch::Tensor& input) { return value.to(input.device()); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"Parameter", [](const Layer&) { return build(true); }},
          {"Buffer", [](const Layer&) { return build(false); }},
          {"new_tensor", build_constant}};
}

}  // namespace h5bridge::parameter
