#include "facets/libtorch/layer.h"

namespace h5bridge::patches {
namespace {

TorchInstance build_unfold(const Layer& layer) {
  return unary([a = layer.attributes](const torch::Tensor& input) {
    return torch::im2col(input, a.integers("kernel_size"), a.integers("dilation"), a.integers("padding"),
                         a.integers("stride"));
  });
}

TorchInstance build_fold(const Layer& layer) {
  return unary([a = layer.attributes](const torch::Tensor& input) {
    return torch::col2im(input, a.integers("output_size"), a.integers("kernel_size"), a.integers("dilation"),
                         a.integers("padding"), a.integers("stride"));
  });
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"Unfold", build_unfold}, {"Fold", build_fold}}; }

}  // namespace h5bridge::patches
