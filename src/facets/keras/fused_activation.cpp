#include "facets/keras/fused_activation.h"

#include <optional>

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

}  // namespace

bool works_along_axis(const std::string& activation) { return type_along_axis(activation) != nullptr; }

KerasEmitter::Results write_with_activation(const KerasMapping& mapping, const Layer& layer, KerasEmitter& emitter) {
  const Attributes& a = layer.attributes;
  Json::Object config = config_of(mapping, layer);
  const auto rank = static_cast<std::int64_t>(emitter.output_shape().size());
  const LayerType* activation = nullptr;
  if (a.contains(kAxis) && resolve_axis(a.integer(kAxis), rank) != rank - 1)
    activation = type_along_axis(a.text("activation"));
  if (!activation) return mapping.lower(a, std::move(config), emitter);

  config.set("activation", "linear");
  Attributes along = activation->defaults();
  along.set(kDim, a.integer(kAxis));
  return emitter.layer("activation", activation->name, along, mapping.lower(a, std::move(config), emitter).first());
}

}  // namespace h5bridge
