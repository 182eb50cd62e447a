#include "facets/libtorch/layer.h"

namespace h5bridge::weight_normalization {
namespace {

// PyTorch 2.13 itself does not look, and reads behind the end of lengths that are too few.
torch::Tensor normalised(const torch::Tensor& v, const torch::Tensor& g, std::int64_t dim) {
  TORCH_CHECK(
      dim < 0 || (dim < v.dim() && g.dim() == v.dim() && g.numel() == v.size(dim) && g.size(dim) == v.size(dim)),
      "_weight_norm: lengths of shape ", g.sizes(), " for directions of shape ", v.sizes());
  return torch::_weight_norm(v, g, dim);
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"_weight_norm", [](const Layer& layer) {
             return function_of_all([dim = layer.attributes.integer("dim")](const TorchValues& inputs) {
               return normalised(inputs.at(0), inputs.at(1), dim);
             });
           }}};
}

}  // namespace h5bridge::weight_normalization
