#include "facets/libtorch/functional.h"
#include "facets/libtorch/layer.h"
#include "layers/augmentation/kinds.h"

namespace h5bridge::augmentation {
namespace {

TorchInstance as_it_is(const Layer&) {
  return unary([](const torch::Tensor& input) { return input; });
}

TorchInstance as_floats(const Layer&) {
  return unary([](const torch::Tensor& input) { return input.is_floating_point() ? input : input.to(torch::kFloat); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  std::vector<TorchLayer> layers;
  for (const Kind& kind : kinds()) layers.push_back({kind.class_name, kind.casts ? as_floats : as_it_is});
  return layers;
}

}  // namespace h5bridge::augmentation
