#include "h5bridge/error.h"
#include "layers/layer_type.h"
#include "layers/window.h"

namespace h5bridge::padding {
namespace {

LayerType zero_padding(std::size_t axes) {
  LayerType type;
  type.name = "ZeroPad" + torch_suffix(axes);
  type.summary = "zeros around the spatial axes";
  type.source = "torch/nn/modules/padding.py; keras/src/layers/reshaping/zero_padding2d.py";
  type.attributes = {
      required_tuple("padding", 2 * axes, "elements before and after each spatial axis, the last axis first"),
      data_format(),
  };
  type.check = [](const Attributes& a) { check_at_least(a, "padding", 0); };
  type.shapes = [axes](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const SymbolicShape& input = inputs.at(0);
    SymbolicShape spatial = spatial_sizes(a, input, axes);
    const auto& padding = a.integers("padding");
    for (std::size_t i = 0; i < axes; ++i) {
      const std::size_t first = 2 * (axes - 1 - i);
      spatial[i] = spatial[i] + Size(padding[first] + padding[first + 1]);
    }
    return {with_channels(a, input[0], input[channel_axis(a, static_cast<std::int64_t>(input.size()))], spatial)};
  };
  type.layout = follows_data_format();
  Json::Array uneven;
  Shape image(axes + 2, 3);
  for (std::size_t i = 0; i < 2 * axes; ++i) uneven.push_back(i);
  for (std::size_t i = 0; i < axes; ++i) image[i + 2] += static_cast<std::int64_t>(i) + 1;
  type.samples = {{"uneven", {{"padding", uneven}}, {image}}, {"one for all", {{"padding", 2}}, {image}}};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {zero_padding(1), zero_padding(2), zero_padding(3)}; }

}  // namespace h5bridge::padding
