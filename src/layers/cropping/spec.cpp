#include "facets/spec/kernel.h"
#include "h5bridge/error.h"

namespace h5bridge::cropping {
namespace {

LayerType cropping(std::size_t axes) {
  LayerType type;
  type.name = "Cropping" + keras_suffix(axes);
  type.summary = "Keras's: the spatial axes without some elements at their ends";
  type.source = "keras/src/layers/reshaping/cropping" + std::to_string(axes) + "d.py";
  type.attributes = {
      required_tuple("cropping", 2 * axes,
                     "elements taken away before and after each spatial axis, the first axis first"),
      data_format(),
  };
  type.check = [](const Attributes& a) { check_at_least(a, "cropping", 0); };
  type.shapes = [axes](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const SymbolicShape& input = inputs.at(0);
    SymbolicShape spatial = spatial_sizes(a, input, axes);
    const auto& cropping = a.integers("cropping");
    for (std::size_t i = 0; i < axes; ++i) {
      const Size size = spatial[i] - Size(cropping[2 * i]) - Size(cropping[2 * i + 1]);
      if (size.value().value_or(1) < 1)
        throw MalformedFile("its cropping leaves nothing of " + spatial[i].str() + " elements");
      spatial[i] = size;
    }
    return {with_channels(a, input[0], input[channel_axis(a, static_cast<std::int64_t>(input.size()))], spatial)};
  };
  type.layout = follows_data_format();
  Json::Array uneven;
  for (std::size_t i = 0; i < 2 * axes; ++i) uneven.push_back((i + 1) % 4);
  type.samples = {
      {"uneven", {{"cropping", uneven}}, {sample_image(3, 3, axes)}},
      {"one for all", {{"cropping", 2}}, {sample_image(1, 2, axes)}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {cropping(1), cropping(2), cropping(3)}; }

}  // namespace h5bridge::cropping
