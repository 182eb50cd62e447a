#include "layers/torch_layer.h"

namespace h5bridge::dropout {
namespace {

template <typename Dropout>
TorchInstance build(const Layer& layer) {
  return unary_module(Dropout(layer.attributes.number("p")));
}

TorchInstance build_spatial(const Layer& layer) {
  const torch::nn::Dropout2d module(layer.attributes.number("p"));
  return unary(module.ptr(), in_data_format(layer.attributes, module_call(module)));
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"Dropout", build<torch::nn::Dropout>}, {"Dropout2d", build_spatial}, {"AlphaDropout", build<torch::nn::AlphaDropout>}};
}

}  // namespace h5bridge::dropout
