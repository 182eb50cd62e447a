// The layers, nodes and inputs of an architecture by name, for those who look up many.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// Holds for as long as the architecture stays where and as it is.
class ArchitectureIndex {
 public:
  explicit ArchitectureIndex(const Architecture& architecture);

  /// nullptr for a name that there is not; the first, should several have it.
  const Layer* find_layer(std::string_view name) const { return found(layers_, name); }
  const Node* find_node(std::string_view name) const { return found(nodes_, name); }
  const Input* find_input(std::string_view name) const { return found(inputs_, name); }
  /// The layer as the node calls it: with what the call sets in place of the layer's own attributes. Throws
  /// MalformedFile if the node calls no layer that there is.
  const Layer& layer_of(const Node& node) const;
  /// The nodes that call a layer, in order.
  const std::vector<const Node*>& calls_of(std::string_view layer) const;
  /// Where the layer of this name, which there is, stands among the architecture's.
  std::size_t place_of(std::string_view layer) const { return static_cast<std::size_t>(layers_.at(layer) - first_); }

 private:
  template <typename Item>
  using ByName = std::unordered_map<std::string_view, const Item*>;
  template <typename Item>
  static const Item* found(const ByName<Item>& items, std::string_view name) {
    const auto item = items.find(name);
    return item == items.end() ? nullptr : item->second;
  }

  const Layer* first_;
  ByName<Layer> layers_;
  ByName<Node> nodes_;
  ByName<Input> inputs_;
  std::unordered_map<std::string_view, std::vector<const Node*>> calls_;
  std::unordered_map<std::string_view, Layer> called_otherwise_;  // by the nodes that set attributes of their own
};

}  // namespace h5bridge
