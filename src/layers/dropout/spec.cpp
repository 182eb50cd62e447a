#include "h5bridge/error.h"
#include "layers/layer_type.h"

namespace h5bridge::dropout {

std::vector<LayerType> layer_types() {
  const auto dropout = [](const std::string& name, const std::string& summary, LayoutRule layout, Shape input) {
    LayerType type;
    type.name = name;
    type.summary = summary;
    type.source = "torch/nn/modules/dropout.py; keras/src/layers/regularization/dropout.py";
    type.attributes = {number("p", 0.5, "probability of an element, or a channel, to be zeroed in training")};
    type.layout = std::move(layout);
    type.check = [](const Attributes& a) {
      if (!(a.number("p") >= 0 && a.number("p") <= 1)) throw MalformedFile("\"p\" is " + std::to_string(a.number("p")) + ", expected 0 to 1");
    };
    type.samples = {{"plain", {{"p", 0.3}}, {std::move(input)}}};
    return type;
  };
  LayerType spatial = dropout("Dropout2d", "zeroes whole channels of images in training", follows_data_format(), {3, 4, 5, 6});
  spatial.attributes.push_back(data_format());
  return {dropout("Dropout", "zeroes elements in training", any_layout(), {3, 7}), spatial,
          dropout("AlphaDropout", "dropout that keeps SELU's statistics", any_layout(), {3, 7})};
}

}  // namespace h5bridge::dropout
