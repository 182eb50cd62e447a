// Source: keras/src/activations/activations.py and keras/src/backend/torch/nn.py.
#include "facets/libtorch/layer.h"
#include "facets/libtorch/registry.h"
#include "facets/registry.h"
#include "h5bridge/error.h"

namespace h5bridge {

namespace {

// What an Activation layer of that name is read as.
Layer activation_layer(std::string_view name) {
  const Json::Object config{{"activation", name}};
  for (const KerasMapping* mapping : Registry::instance().keras_class("Activation")) {
    const Json* fixed = mapping->fixed.find("activation");
    if (!fixed || *fixed != config.at("activation")) continue;
    return *layer_from_config(*mapping, config, {{}});
  }
  throw Unsupported("activation \"" + std::string(name) + "\" is not known");
}

}  // namespace

TorchFunction keras_activation(std::string_view name) {
  return [instance = build_layer(activation_layer(name))](const torch::Tensor& input) {
    return instance.forward({{input}}).at(0);
  };
}

plan::Afterwards plan::afterwards_of(const Attributes& attributes) {
  const std::string& name = attributes.text("activation");
  if (name == "linear") return {};
  const Operation operation = operation_of(activation_layer(name), nullptr);
  if (const auto* activation = std::get_if<Activation>(&operation)) return {*activation, {}};
  return {{}, with_activation(attributes, [](const torch::Tensor& input) { return input; })};
}

}  // namespace h5bridge
