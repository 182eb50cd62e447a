#include "layers/torch_layer.h"

namespace h5bridge::padding {
namespace {

template <typename ZeroPad, typename Options>
TorchInstance build(const Layer& layer) {
  const ZeroPad module(Options(layer.attributes.integers("padding")));
  return unary(module.ptr(), in_data_format(layer.attributes, module_call(module)));
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  using namespace torch::nn;
  return {{"ZeroPad1d", build<ZeroPad1d, ZeroPad1dOptions>},
          {"ZeroPad2d", build<ZeroPad2d, ZeroPad2dOptions>},
          {"ZeroPad3d", build<ZeroPad3d, ZeroPad3dOptions>}};
}

}  // namespace h5bridge::padding
