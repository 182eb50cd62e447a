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

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"grid_sample", build}}; }

}  // namespace h5bridge::grid_sampling
