#include "facets/libtorch/layer.h"

namespace h5bridge::masking {

std::vector<TorchLayer> torch_layers() {
  return {{"Masking", [](const Layer& layer) {
             return unary([value = layer.attributes.number("mask_value")](const torch::Tensor& x) {
               return x * torch::ne(x, value).any(-1, true).to(x.scalar_type());
             });
           }}};
}

}  // namespace h5bridge::masking
