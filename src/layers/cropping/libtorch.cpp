#include "facets/libtorch/layer.h"

namespace h5bridge::cropping {
namespace {

TorchInstance build(const Layer& layer) {
  return unary(
      in_data_format(layer.attributes, [cropping = layer.attributes.integers("cropping")](const torch::Tensor& input) {
        torch::Tensor output = input;
        for (std::size_t i = 0; i < cropping.size(); i += 2) {
          const auto axis = static_cast<std::int64_t>(i / 2) + 2;
          output = output.slice(axis, cropping[i], output.size(axis) - cropping[i + 1]);
        }
        return output;
      }));
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"Cropping1D", build}, {"Cropping2D", build}, {"Cropping3D", build}}; }

}  // namespace h5bridge::cropping
