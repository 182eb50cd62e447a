#include <algorithm>
#include <array>

#include "facets/libtorch/layer.h"

namespace h5bridge::grid_sampling {
namespace {

// In the order of torch/nn/functional.py, grid_sample.
constexpr std::array<std::string_view, 3> kModes{"bilinear", "nearest", "bicubic"};
constexpr std::array<std::string_view, 3> kPaddings{"zeros", "border", "reflection"};

std::int64_t place_of(const std::array<std::string_view, 3>& words, const std::string& word) {
  return std::ranges::find(words, word) - words.begin();
}

TorchInstance build(const Layer& layer) {
  return {nullptr, [a = layer.attributes, mode = place_of(kModes, layer.attributes.text("mode")),
                    padding = place_of(kPaddings, layer.attributes.text("padding_mode"))](const TorchCall& call) {
            const TorchFunction forward = in_data_format(a, [&](const torch::Tensor& input) {
              return torch::grid_sampler(input, call.inputs.at(1), mode, padding, a.boolean("align_corners"));
            });
            return TorchValues{forward(call.inputs.at(0))};
          }};
}

TorchInstance affine_grid(const Layer& layer) {
  return {nullptr, [a = layer.attributes](const TorchCall& call) {
            std::vector<std::int64_t> sizes;
            for (const Size& size : a.sizes("size")) sizes.push_back(known_size(size, call.symbols));
            return TorchValues{torch::affine_grid_generator(call.inputs.at(0), sizes, a.boolean("align_corners"))};
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"grid_sample", build}, {"affine_grid", affine_grid}}; }

}  // namespace h5bridge::grid_sampling
