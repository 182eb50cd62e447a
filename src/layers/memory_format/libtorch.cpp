#include "facets/libtorch/layer.h"

namespace h5bridge::memory_format {

std::vector<TorchLayer> torch_layers() {
  return {{"contiguous",
           [](const Layer&) { return unary([](const torch::Tensor& input) { return input.contiguous(); }); }}};
}

}  // namespace h5bridge::memory_format
