#include "passes/network_side.h"

#include <algorithm>

#include "facets/keras/fused_activation.h"
#include "facets/registry.h"

namespace h5bridge {
namespace {

constexpr const char* kActivation = "activation";
constexpr const char* kActivationAxis = "activation_axis";

// Casts of integers and masks that Keras makes by itself are nothing that either network says.
bool does_nothing(const Layer& layer) { return Registry::instance().type_of(layer).is_identity || layer.keras.implied; }

}  // namespace

NetworkSide::NetworkSide(const Architecture& architecture)
    : architecture_(architecture), index_(architecture), shapes_(infer_shapes(architecture)) {
  std::size_t place = 0;
  for (const Node& node : architecture_.nodes) {
    nodes_[node.name] = {&node, ++place};
    const Layer& layer = index_.layer_of(node);
    if (!Registry::instance().type_of(layer).parameters(layer.attributes).empty())
      weighted_[layer.name].push_back(&node);
  }
}

const Node* NetworkSide::node(const std::string& name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : found->second.first;
}

std::size_t NetworkSide::place_of(const std::string& node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? 0 : found->second.second;
}

const std::vector<const Node*>& NetworkSide::calls_of(const std::string& layer) const {
  static const std::vector<const Node*> none;
  const auto found = weighted_.find(layer);
  return found == weighted_.end() ? none : found->second;
}

bool NetworkSide::is_step(const Node& node, const Value& value) const {
  return node.values().size() == 1 && value.output == 0 && calls_of(node.layer).empty() &&
         shapes_.outputs_of(node.name).size() == 1;
}

// The layer that a name in keras.activations stands for.
std::optional<Layer> NetworkSide::own_activation(const Node& node) const {
  const Layer& layer = index_.layer_of(node);
  const AttributeSpec* spec = Registry::instance().type_of(layer).find_attribute(kActivation);
  if (!spec || spec->fallback != AttributeValue("linear")) return std::nullopt;  // a recurrent one's is within
  const std::string& name = layer.attributes.text(kActivation);
  const SymbolicShape& shape = shapes_.of({node.name, 0});
  for (const KerasMapping* mapping : Registry::instance().keras_class("Activation")) {
    const Json* fixed = mapping->fixed.find(kActivation);
    if (!fixed || *fixed != Json(name)) continue;
    std::optional<Layer> result = layer_from_config(*mapping, {{kActivation, name}}, {shape});
    if (!result) continue;
    result->name = layer.name;
    if (works_along_axis(name) && layer.attributes.contains(kActivationAxis))
      result->attributes.set("dim", layer.attributes.at(kActivationAxis));
    return result;
  }
  return std::nullopt;
}

Layer NetworkSide::layer_of(const Node& node) const {
  Layer layer = index_.layer_of(node);
  if (!own_activation(node)) return layer;
  layer.attributes.set(kActivation, std::string("linear"));
  if (layer.attributes.contains(kActivationAxis)) layer.attributes.set(kActivationAxis, std::int64_t{-1});
  return layer;
}

Chain NetworkSide::chain_to(const Value& value) const {
  Chain chain{{}, value};
  for (const Node* node = this->node(value.node); node; node = this->node(chain.start.node)) {
    const Layer& layer = index_.layer_of(*node);
    if (chain.start.output == 0)
      if (std::optional<Layer> activation = own_activation(*node); activation && !does_nothing(*activation))
        chain.steps.push_back({std::move(*activation), rank_of(chain.start), place_of(node->name)});
    if (!is_step(*node, chain.start)) break;
    const Value before = node->values().at(0);
    if (!does_nothing(layer)) chain.steps.push_back({layer, rank_of(before), place_of(node->name)});
    chain.start = before;
  }
  std::ranges::reverse(chain.steps);
  return chain;
}

}  // namespace h5bridge
