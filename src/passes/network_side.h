// One of two networks that are compared (passes/network_difference.h): its layers with weights, and the chains of
// steps between them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"
#include "model/architecture_index.h"
#include "passes/infer_shapes.h"

namespace h5bridge {

/// A layer without weights and with one input, or the activation that a layer applies to its own output.
struct Step {
  Layer layer;
  std::size_t rank = 0;   // of its input
  std::size_t place = 0;  // of its node in the architecture
};

struct Chain {
  std::vector<Step> steps;  // from the start on
  Value start;
};

class NetworkSide {
 public:
  explicit NetworkSide(const Architecture& architecture);

  const Architecture& architecture() const { return architecture_; }
  const ArchitectureIndex& index() const { return index_; }
  /// nullptr for an input.
  const Node* node(const std::string& name) const;
  /// Of a node; inputs stand before all of them.
  std::size_t place_of(const std::string& node) const;
  /// The calls of a layer that has weights; empty for any other.
  const std::vector<const Node*>& calls_of(const std::string& layer) const;
  const std::map<std::string, std::vector<const Node*>>& weighted() const { return weighted_; }
  std::size_t rank_of(const Value& value) const { return shapes_.of(value).size(); }
  Chain chain_to(const Value& value) const;
  PlainCall call_of(const Node& node) const { return plain_call(index_.layer_of(node), node); }
  /// The layer that a node calls, but for an activation of its own, which is a step behind it.
  Layer layer_of(const Node& node) const;

 private:
  bool is_step(const Node& node, const Value& value) const;
  std::optional<Layer> own_activation(const Node& node) const;

  const Architecture& architecture_;
  ArchitectureIndex index_;
  Shapes shapes_;
  std::map<std::string, std::pair<const Node*, std::size_t>> nodes_;
  std::map<std::string, std::vector<const Node*>> weighted_;
};

}  // namespace h5bridge
