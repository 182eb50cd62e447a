#include "keras/read_bindings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/parse_tree.h"
#include "keras/stated_graph.h"
#include "keras/tied_layers.h"
#include "keras/wrappers.h"
#include "model/architecture_index.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

// A layer that the configuration has, be it in a model within the model, and where.
struct Entry {
  KerasPlace place;
  std::string class_name;
  Json::Object config;
};

// All layers of a configuration, in its order, by KerasBinding::layer.
class Entries {
 public:
  explicit Entries(const KerasModel& model) { add_model(model, {}); }

  const std::map<std::string, Entry>& all() const { return entries_; }

 private:
  // What a layer is in.
  struct Within {
    std::string models = {};  // "encoder/"
    std::string group = {};   // the outermost
    std::string path = {};    // what its variables' paths begin with
    bool is_frozen = false;   // the outermost
  };

  // A Sequential model builds its layers, which have its name before theirs.
  void add_model(const KerasModel& model, Within within) {
    within.path = model.said.class_name == "Sequential" ? model.name + "/" : "";
    for (const KerasLayer& layer : model.layers) add_layer(layer, within);
  }

  void add_layer(const KerasLayer& layer, const Within& within) {
    // A wrapper may be what one layer of PyTorch's is written as, which has its name.
    if (!layer.model) add(layer, within);
    if (!layer.model && layer.wrapped.empty()) return;
    Within inner = within;
    inner.models += layer.keras_name + "/";
    if (within.group.empty()) {
      inner.group = layer.keras_name;
      const Json* trainable = layer.find("trainable");
      inner.is_frozen = trainable && *trainable == Json(false);
    }
    if (layer.model) return add_model(*layer.model, std::move(inner));
    inner.path += layer.keras_name + "/";  // a wrapper builds its layer where it is itself built
    for (const auto& [object, wrapped] : layer.wrapped) add_layer(wrapped, inner);
  }

  void add(const KerasLayer& layer, const Within& within) {
    const std::string& name = layer.keras_name;
    KerasPlace place{entries_.size(),
                     within.models + name,
                     within.group.empty() ? name : within.group,
                     {},
                     within.path + name + "/",
                     name,
                     within.is_frozen};
    const std::string path = place.layer;
    entries_.try_emplace(path, Entry{std::move(place), layer.class_name, layer.config});
    // What is read has an activation that is a layer object as a layer behind its host.
    if (const std::optional<KerasLayer> activation = parse_activation(layer)) add(*activation, within);
  }

  std::map<std::string, Entry> entries_;
};

class Reader {
 public:
  Reader(const Entries& entries, const Architecture& architecture, const BindingMaker::WeightSteps& weight_steps)
      : entries_(entries),
        own_(has_implied(architecture) ? std::optional(without_implied(architecture)) : std::nullopt),
        architecture_(own_ ? *own_ : architecture),
        index_(architecture_),
        shapes_(infer_shapes(architecture_)),
        needed_(needed_nodes(architecture_)),
        weight_steps_(weight_steps),
        names_(architecture_) {
    for (const Scope& scope : architecture_.scopes) scopes_.emplace(scope.name, &scope);
    for (const ScopeCall& call : architecture_.scope_calls) {
      scope_calls_.emplace(call.name, &call);
      first_calls_.emplace(call.scope, &call);
    }
  }

  /// nullopt where a layer is missing.
  std::optional<KerasBindings> run(const TiedLayers& ties) const {
    KerasBindings result;
    result.tied = ties.tied;
    result.bindings.reserve(architecture_.layers.size());
    BindingMaker maker(weight_steps_);
    std::map<std::string, KerasPlace> places;
    std::set<std::string> known;
    for (const Node& node : architecture_.nodes) {
      const Layer& own = index_.layer_of(node);
      if (!needed_.contains(node.name) || tells_apart(own) || is_of_a_wrapper(own)) continue;
      const auto stand = ties.stands.find(node.layer);
      const Layer& layer = stand == ties.stands.end() ? own : *index_.find_layer(stand->second.host);
      if (!known.insert(layer.name).second || !has_tensors(layer)) continue;
      const std::vector<SymbolicShape> inputs = shapes_of_inputs(own, node);
      const WeightRules rules = mapping_of(layer, inputs).weights(layer.attributes, inputs);
      std::set<std::string> parts;
      for (const WeightRule& rule : rules.rules) {
        if (!parts.insert(rule.part).second) continue;
        const Entry* entry = find_entry(layer, rule.part, node);
        if (!entry) return std::nullopt;
        KerasPlace& place = places.emplace(entry->place.layer, entry->place).first->second;
        if (const ScopeCall* call = find_scope_call(node.scope_call)) place.scope = call->scope;
        maker.bind(layer, rule.part, {entry->place.layer, entry->class_name, entry->config}, rules, result);
      }
      maker.add_residuals(layer, rules, result);
    }
    for (const Scope& scope : architecture_.scopes)
      if (!add_wrappers_own(scope, places, result)) return std::nullopt;
    place(result.bindings, places, architecture_.ties);
    return result;
  }

 private:
  const ScopeCall* find_scope_call(const std::string& name) const {
    const auto call = scope_calls_.find(name);
    return call == scope_calls_.end() ? nullptr : call->second;
  }

  // A variable that a wrapper has itself. False where the wrapper is missing.
  bool add_wrappers_own(const Scope& scope, std::map<std::string, KerasPlace>& places, KerasBindings& result) const {
    const std::string variable = own_variable(scope.keras);
    if (variable.empty() || !first_calls_.contains(scope.name)) return true;
    std::string path = path_of_scope(scope.name);
    path.pop_back();
    const auto entry = entries_.all().find(path);
    if (entry == entries_.all().end()) return false;
    places.emplace(path, entry->second.place).first->second.scope = scope.name;
    result.bindings.push_back(wrappers_binding(path, variable));
    return true;
  }

  // What has none need not be anything that Keras could say.
  static bool has_tensors(const Layer& layer) {
    return !Registry::instance().type_of(layer).parameters(layer.attributes).empty();
  }

  // What the layers of a scope have before their names: "encoder/inner/". Scopes nest no deeper than there are any.
  std::string path_of_scope(const std::string& scope, std::size_t depth = 0) const {
    const auto found = scopes_.find(scope);
    const auto call = first_calls_.find(scope);
    if (found == scopes_.end() || call == first_calls_.end() || depth > scopes_.size()) return {};
    const ScopeCall* parent = find_scope_call(call->second->parent);
    const std::string outer = parent ? parent->scope : "";
    return (parent ? path_of_scope(outer, depth + 1) : "") +
           found->second->keras.name.value_or(scope_name_within(scope, outer)) + "/";
  }

  const Entry* find_entry(const Layer& layer, const std::string& part, const Node& node) const {
    std::string name = names_.of_layer(layer.name);
    if (const ScopeCall* call = find_scope_call(node.scope_call); call && name.starts_with(call->scope + "/"))
      name = path_of_scope(call->scope) + name.substr(call->scope.size() + 1);
    const auto entry = entries_.all().find(part.empty() ? name : name + "_" + part);
    return entry == entries_.all().end() ? nullptr : &entry->second;
  }

  // Every Keras layer needs an input: what takes none gets the model's.
  std::vector<SymbolicShape> shapes_of_inputs(const Layer& layer, const Node& node) const {
    std::vector<SymbolicShape> result;
    for (const Value& value : plain_call(layer, node).inputs) result.push_back(shapes_.of(value));
    if (!result.empty()) return result;
    const ScopeCall* part = find_scope_call(node.scope_call);
    return {shapes_.of(part ? part->arguments.at(0) : Value{architecture_.inputs.at(0).name})};
  }

  const Entries& entries_;
  const std::optional<Architecture> own_;
  const Architecture& architecture_;
  const ArchitectureIndex index_;
  const Shapes shapes_;
  const std::set<std::string> needed_;
  const BindingMaker::WeightSteps& weight_steps_;
  const KerasNames names_;
  std::map<std::string_view, const ScopeCall*> scope_calls_;
  std::map<std::string_view, const ScopeCall*> first_calls_;  // by scope
  std::map<std::string_view, const Scope*> scopes_;
};

}  // namespace

std::optional<KerasBindings> read_bindings(const KerasModel& model, const Architecture& architecture,
                                           const BindingMaker::WeightSteps& weight_steps) {
  const Entries entries(model);
  const Reader reader(entries, architecture, weight_steps);
  std::optional<KerasBindings> result;
  try {
    result = reader.run({});
    if (!result && !architecture.ties.empty()) {
      std::set<std::string> moved;
      for (const auto& [name, steps] : weight_steps) moved.insert(name);
      result = reader.run(tied_layers(architecture, moved));
    }
  } catch (const Unsupported&) {  // an architecture that is not what the configuration was made of
    return std::nullopt;
  }
  return result;
}

std::optional<std::vector<std::string>> output_names_in(const Json& model_config, const Architecture& architecture) {
  const std::vector<std::pair<std::string, std::string>> found = parse_output_layers(model_config);
  if (found.size() != architecture.outputs.size()) return std::nullopt;
  std::vector<std::string> result;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::string& name = architecture.outputs[i].name;
    const auto named = std::ranges::find(found, name, &std::pair<std::string, std::string>::first);
    result.push_back((name.empty() || named == found.end() ? found[i] : *named).second);
  }
  return result;
}

}  // namespace h5bridge
