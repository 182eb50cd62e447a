#include "layers/torch_layer.h"

namespace h5bridge::linear {

std::vector<TorchLayer> torch_layers() {
  const auto linear = [](const Layer& layer) {
    const Attributes& a = layer.attributes;
    torch::nn::Linear module(torch::nn::LinearOptions(1, 1).bias(a.boolean("bias")));
    module->options.in_features(a.integer("in_features")).out_features(a.integer("out_features"));
    return unary(module.ptr(), with_activation(a, module_call(module)));
  };
  return {{"Linear", linear}};
}

}  // namespace h5bridge::linear
