// Source: keras/src/activations/activations.py and keras/src/backend/torch/nn.py.
#include "facets/libtorch/layer.h"
#include "facets/libtorch/registry.h"
#include "facets/registry.h"
#include "h5bridge/error.h"

namespace h5bridge {

TorchFunction keras_activation(std::string_view name) {
  // What an Activation layer of that name is read as.
  const Json::Object config{{"activation", name}};
  for (const KerasMapping* mapping : Registry::instance().keras_class("Activation")) {
    const Json* fixed = mapping->fixed.find("activation");
    if (!fixed || *fixed != config.at("activation")) continue;
    const Layer layer = *layer_from_config(*mapping, config, {{}});
    return [instance = build_layer(layer)](const torch::Tensor& input) { return instance.forward({{input}}).at(0); };
  }
  throw Unsupported("activation \"" + std::string(name) + "\" is not known");
}

}  // namespace h5bridge
