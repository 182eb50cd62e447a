#include "model/architecture_index.h"

#include "h5bridge/error.h"

namespace h5bridge {

ArchitectureIndex::ArchitectureIndex(const Architecture& architecture) : first_(architecture.layers.data()) {
  for (const Layer& layer : architecture.layers) layers_.emplace(layer.name, &layer);
  for (const Input& input : architecture.inputs) inputs_.emplace(input.name, &input);
  for (const Node& node : architecture.nodes) {
    nodes_.emplace(node.name, &node);
    calls_[node.layer].push_back(&node);
    if (node.attributes.empty()) continue;
    if (const Layer* layer = find_layer(node.layer)) called_otherwise_.emplace(node.name, as_called(*layer, node));
  }
}

const Layer& ArchitectureIndex::layer_of(const Node& node) const {
  if (!node.attributes.empty())
    if (const auto called = called_otherwise_.find(node.name); called != called_otherwise_.end()) return called->second;
  if (const Layer* layer = find_layer(node.layer)) return *layer;
  throw MalformedFile("node '" + node.name + "' calls the layer '" + node.layer + "', which does not exist");
}

const std::vector<const Node*>& ArchitectureIndex::calls_of(std::string_view layer) const {
  static const std::vector<const Node*> none;
  const auto calls = calls_.find(layer);
  return calls == calls_.end() ? none : calls->second;
}

}  // namespace h5bridge
