#include "keras/tied_layers.h"

#include <algorithm>

#include "facets/registry.h"

namespace h5bridge {
namespace {

using Names = std::vector<std::string>;

Names tensors_of(const Layer& layer) {
  Names result;
  for (const ParameterSpec& parameter : Registry::instance().type_of(layer).parameters(layer.attributes))
    result.push_back(tensor_name(layer.name, parameter.name));
  return result;
}

// What Keras says of a layer, but its name.
KerasOrigin said_by_keras(const Layer& layer) {
  KerasOrigin result = layer.keras;
  result.name.reset();
  return result;
}

const SharedUse* use_for(const Layer& host, const Layer& other) {
  for (const KerasMapping* mapping : Registry::instance().keras_of(host.type))
    for (const SharedUse& use : mapping->shared_uses)
      if (use.type == other.type && use.fits(host.attributes, other.attributes)) return &use;
  return nullptr;
}

class Search {
 public:
  Search(const Architecture& architecture, const std::set<std::string>& moved) : architecture_(architecture) {
    for (std::size_t group = 0; group < architecture.ties.size(); ++group)
      for (const std::string& name : architecture.ties[group])
        if (!moved.contains(name)) group_of_[name] = group;
    std::map<std::string_view, std::string_view> scopes;  // by their calls
    for (const ScopeCall& call : architecture.scope_calls) scopes.emplace(call.name, call.scope);
    for (const Node& node : architecture.nodes) scope_of_.emplace(node.layer, scopes[node.scope_call]);
  }

  TiedLayers run() {
    for (const Layer& layer : architecture_.layers)
      if (is_tied(layer)) find_host(layer);
    return std::move(result_);
  }

 private:
  bool is_tied(const Layer& layer) const {
    const Names tensors = tensors_of(layer);
    return !tensors.empty() &&
           std::ranges::all_of(tensors, [&](const std::string& name) { return group_of_.contains(name); });
  }

  bool are_one(const std::string& a, const std::string& b) const { return group_of_.at(a) == group_of_.at(b); }

  // Only a layer all of whose tensors are another's is none of its own.
  void find_host(const Layer& layer) {
    for (const Layer& host : architecture_.layers) {
      if (host.name == layer.name || result_.stands.contains(host.name) || !is_tied(host)) continue;
      if (scope_of_[host.name] != scope_of_[layer.name]) continue;  // a Keras model calls no layers of another
      const Names own = tensors_of(layer), others = tensors_of(host);
      if (!std::ranges::equal(own, others, [&](const auto& a, const auto& b) { return are_one(a, b); })) continue;
      if (const SharedUse* use = use_for(host, layer)) {
        result_.hosts[host.name] = use;
        return stand(layer, {host.name, use}, own, others);
      }
      // The first of several alike is the host of all; a host's class may change, and what stands for it does, too.
      if (is_before(host, layer) && are_alike(host, layer)) return stand(layer, {host.name}, own, others);
    }
  }

  bool is_before(const Layer& a, const Layer& b) const { return &a < &b; }

  static bool are_alike(const Layer& a, const Layer& b) {
    const LayerType& type = Registry::instance().type_of(a);
    return a.type == b.type && attributes_to_json(type, a.attributes) == attributes_to_json(type, b.attributes) &&
           said_by_keras(a) == said_by_keras(b);
  }

  void stand(const Layer& layer, TiedLayers::Stand stand, const Names& own, const Names& others) {
    for (std::size_t i = 0; i < own.size(); ++i) result_.tied[own[i]] = others[i];
    result_.stands[layer.name] = std::move(stand);
  }

  const Architecture& architecture_;
  std::map<std::string, std::size_t> group_of_;
  std::map<std::string_view, std::string_view> scope_of_;
  TiedLayers result_;
};

}  // namespace

TiedLayers tied_layers(const Architecture& architecture, const std::set<std::string>& moved) {
  return Search(architecture, moved).run();
}

}  // namespace h5bridge
