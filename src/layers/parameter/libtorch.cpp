#include "layers/torch_layer.h"

namespace h5bridge::parameter {
namespace {

TorchInstance build(bool trained) {
  const auto holder = std::make_shared<torch::nn::Module>();
  const torch::Tensor value = torch::empty({0});
  const torch::Tensor held = trained ? holder->register_parameter(kOwnTensor, value) : holder->register_buffer(kOwnTensor, value);
  return {.module = holder, .forward = [held](const TorchValues&, const Symbols&) { return TorchValues{held}; }, .is_tensor = true};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"Parameter", [](const Layer&) { return build(true); }}, {"Buffer", [](const Layer&) { return build(false); }}};
}

}  // namespace h5bridge::parameter
