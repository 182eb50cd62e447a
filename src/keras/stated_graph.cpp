#include "keras/stated_graph.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "facets/keras/keras_plan.h"
#include "facets/registry.h"
#include "keras/wrappers.h"
#include "model/architecture_index.h"

namespace h5bridge {
namespace {

// What Keras implies, and planning has to see nevertheless.
bool is_seen(const Layer& layer) { return tells_apart(layer) || is_of_a_wrapper(layer); }

// What Keras implies, or has no words for and no use: it changes no value.
bool vanishes(const Layer& layer) {
  if (is_seen(layer)) return false;
  const LayerType* type = Registry::instance().find(layer.type);
  return layer.keras.implied || (type && type->is_identity && Registry::instance().keras_of(layer.type).empty());
}

std::map<std::string_view, const ScopeCall*> scope_calls_of(const Architecture& architecture) {
  std::map<std::string_view, const ScopeCall*> calls;
  for (const ScopeCall& call : architecture.scope_calls) calls.emplace(call.name, &call);
  return calls;
}

// What a change of layout put in for layers that are gone has nobody left to take it.
void drop_unused_permutes(Architecture& architecture) {
  std::set<std::string> used;
  for (const Output& output : architecture.outputs) used.insert(output.value.node);
  for (const ScopeCall& call : architecture.scope_calls)
    for (const Value& value : call.values()) used.insert(value.node);
  std::set<std::string_view> inserted;
  for (const Layer& layer : architecture.layers)
    if (layer.keras.inserted) inserted.insert(layer.name);
  std::set<std::string> dropped;
  for (auto node = architecture.nodes.rbegin(); node != architecture.nodes.rend(); ++node) {
    if (inserted.contains(node->layer) && !used.contains(node->name))
      dropped.insert(node->name);
    else
      for (const Value& value : node->values()) used.insert(value.node);
  }
  std::erase_if(architecture.nodes, [&](const Node& node) { return dropped.contains(node.name); });
  std::erase_if(architecture.layers, [&](const Layer& layer) { return dropped.contains(layer.name); });
}

}  // namespace

bool tells_apart(const Layer& layer) { return layer.keras.implied && layer.type == "Identity"; }

bool has_implied(const Architecture& architecture) {
  return std::ranges::any_of(architecture.layers,
                             [](const Layer& layer) { return layer.keras.inserted || vanishes(layer); });
}

Architecture without_implied(Architecture architecture) {
  const ArchitectureIndex index(architecture);
  std::set<std::string> implied;
  std::map<std::string, Value> casts;  // what stands in for each of them as an input
  for (const Node& node : architecture.nodes)
    if (const Layer& layer = index.layer_of(node); vanishes(layer)) {
      implied.insert(node.name);
      const Value source = node.values().back();    // in front of it stands what chooses it
      const auto before = casts.find(source.node);  // a cast of a cast
      casts.emplace(node.name, before == casts.end() ? source : before->second);
    }
  const auto uncast = [&](Value& value) {
    if (const auto cast = casts.find(value.node); cast != casts.end()) value = cast->second;
  };
  for (Output& output : architecture.outputs) uncast(output.value);
  for (ScopeCall& call : architecture.scope_calls) {
    std::ranges::for_each(call.arguments, uncast);
    std::ranges::for_each(call.results, uncast);
    for (std::optional<Value>& mask : call.masks)
      if (mask) uncast(*mask);
  }
  std::erase_if(architecture.nodes, [&](const Node& node) { return implied.contains(node.name); });
  for (Node& node : architecture.nodes) {
    const Layer& layer = index.layer_of(node);
    PlainCall call = plain_call(layer, node);
    std::erase_if(call.named, [&](const auto& named) { return implied.contains(named.second.node); });
    std::ranges::for_each(call.inputs, uncast);
    node.arguments = node_of(node.name, layer, call).arguments;
  }
  std::erase_if(architecture.layers, vanishes);
  drop_unused_permutes(architecture);
  return architecture;
}

std::set<std::string> needed_nodes(const Architecture& architecture) {
  const auto scope_calls = scope_calls_of(architecture);
  const auto find_scope_call = [&](const std::string& name) {
    const auto call = scope_calls.find(name);
    return call == scope_calls.end() ? nullptr : call->second;
  };
  std::set<std::string> result;
  std::set<std::string_view> calls;
  for (const Output& output : architecture.outputs) result.insert(output.value.node);
  for (std::size_t known = 0; known != result.size();) {
    known = result.size();
    for (auto node = architecture.nodes.rbegin(); node != architecture.nodes.rend(); ++node) {
      if (!result.contains(node->name)) continue;
      for (const Value& value : node->values()) result.insert(value.node);
      for (const ScopeCall* call = find_scope_call(node->scope_call); call && calls.insert(call->name).second;
           call = find_scope_call(call->parent))
        for (const Value& value : call->values()) result.insert(value.node);
    }
  }
  return result;
}

KerasNames::KerasNames(const Architecture& architecture) {
  for (const Input& input : architecture.inputs) inputs_[input.name] = unique(keras_name(input.name));
  const auto scope_calls = scope_calls_of(architecture);
  std::map<std::string_view, std::string> scopes;  // of layers, by their first calls
  for (const Node& node : architecture.nodes) {
    const auto call = scope_calls.find(node.scope_call);
    scopes.try_emplace(node.layer, call == scope_calls.end() ? "" : call->second->scope);
  }
  for (const bool is_inner : {false, true})
    for (const Layer& layer : architecture.layers) {
      const std::string& scope = scopes[layer.name];
      if (scope.empty() == is_inner) continue;
      const bool is_named_so = is_inner && layer.name.starts_with(scope + ".");
      const std::string own = is_named_so ? layer.name.substr(scope.size() + 1) : layer.name;
      layers_[layer.name] =
          unique((is_inner ? scope + "/" : "") + (layer.keras.name ? *layer.keras.name : keras_name(own)));
    }
}

const std::string* KerasNames::find_layer(const std::string& layer) const {
  const auto name = layers_.find(layer);
  return name == layers_.end() ? nullptr : &name->second;
}

std::string KerasNames::unique(const std::string& wanted) {
  std::string name = unique_name(wanted, [&](const std::string& candidate) { return taken_.contains(candidate); });
  taken_.insert(name);
  return name;
}

std::string scope_name_within(const std::string& scope, const std::string& outer) {
  const bool is_within = !outer.empty() && scope.starts_with(outer + ".");
  return keras_name(is_within ? scope.substr(outer.size() + 1) : scope);
}

}  // namespace h5bridge
