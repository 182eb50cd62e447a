#include "facets/keras/fused_activation.h"

#include <optional>
#include <utility>

#include "facets/registry.h"

namespace h5bridge {
namespace {

constexpr const char* kAxis = "activation_axis";
constexpr const char* kDim = "dim";  // what torch.nn calls the axis of its activations

// The type that an Activation layer of that name is read as, if its axis is an attribute.
const LayerType* type_along_axis(const std::string& activation) {
  for (const KerasMapping* mapping : Registry::instance().keras_class("Activation")) {
    const Json* fixed = mapping->fixed.find("activation");
    if (!fixed || *fixed != Json(activation)) continue;
    const LayerType* type = Registry::instance().find(mapping->type);
    return type->find_attribute(kDim) ? type : nullptr;
  }
  return nullptr;
}

// A recurrent layer has its activation within its steps.
bool is_of_output(const Layer& layer) {
  const AttributeSpec* activation = Registry::instance().find(layer.type)->find_attribute("activation");
  return activation && activation->fallback == AttributeValue("linear");
}

KerasEmitter::Handle write_behind(std::string activation, const KerasMapping& mapping, const Attributes& a,
                                  Json::Object config, KerasEmitter& emitter) {
  config.set("activation", "linear");
  const KerasEmitter::Handle made = mapping.lower(a, std::move(config), emitter).first();
  return emitter
      .call({.suffix = "activation",
             .class_name = "Activation",
             .config = {{"activation", std::move(activation)}},
             .arguments = {made},
             .outputs = {emitter.output_shape()}})
      .at(0);
}

}  // namespace

bool works_along_axis(const std::string& activation) { return type_along_axis(activation) != nullptr; }

KerasEmitter::Results write_with_activation(const KerasMapping& mapping, const Layer& layer, KerasEmitter& emitter,
                                            TakesActivation takes_within) {
  const Attributes& a = layer.attributes;
  Json::Object config = config_of(mapping, layer);
  const auto rank = static_cast<std::int64_t>(emitter.output_shape().size());
  const LayerType* activation = nullptr;
  if (a.contains(kAxis) && resolve_axis(a.integer(kAxis), rank) != rank - 1)
    activation = type_along_axis(a.text("activation"));
  if (!activation && takes_within && is_of_output(layer))
    if (const Json* name = config.find("activation"); name && name->is_string() && !takes_within(name->as_string()))
      return {write_behind(name->as_string(), mapping, a, std::move(config), emitter)};
  if (!activation) return mapping.lower(a, std::move(config), emitter);

  config.set("activation", "linear");
  Attributes along = activation->defaults();
  along.set(kDim, a.integer(kAxis));
  return emitter.layer("activation", activation->name, along, mapping.lower(a, std::move(config), emitter).first());
}

}  // namespace h5bridge
