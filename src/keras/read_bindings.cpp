#include "keras/read_bindings.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/inline_models.h"
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
  const Json::Object* config;
};

std::string text_of(const Json* json) { return json && json->is_string() ? json->as_string() : ""; }

const Json* layers_of(const Json& model) {
  const Json* config = model.find("config");
  const Json* layers = config ? config->find("layers") : nullptr;
  return layers && layers->is_array() ? layers : nullptr;
}

// All layers of a configuration, in its order, by KerasBinding::layer.
class Entries {
 public:
  explicit Entries(const Json& model_config) { add_model(model_config, {}); }

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
  void add_model(const Json& model, Within within) {
    const bool is_sequential = text_of(model.find("class_name")) == "Sequential";
    const Json* config = model.find("config");
    within.path = is_sequential && config ? text_of(config->find("name")) + "/" : "";
    if (const Json* layers = layers_of(model))
      for (const Json& layer : layers->as_array()) add_layer(layer, within);
  }

  void add_layer(const Json& layer, const Within& within) {
    const Json* config = layer.find("config");
    const std::string name = config ? text_of(config->find("name")) : "";
    if (name.empty()) return;
    const bool is_model = is_model_entry(layer);
    // A wrapper may be what one layer of PyTorch's is written as, which has its name.
    if (!is_model) add(layer, name, within);
    if (!is_model && !is_wrapper_entry(layer)) return;
    Within inner = within;
    inner.models += name + "/";
    if (within.group.empty()) {
      inner.group = name;
      const Json* trainable = config->find("trainable");
      inner.is_frozen = trainable && *trainable == Json(false);
    }
    if (is_model) return add_model(layer, std::move(inner));
    inner.path += name + "/";  // a wrapper builds its layer where it is itself built
    for (const auto& [object, wrapped] : wrapped_objects(layer)) add_layer(*wrapped, inner);
  }

  void add(const Json& layer, const std::string& name, const Within& within) {
    const Json& config = layer.at("config");
    KerasPlace place{entries_.size(),
                     within.models + name,
                     within.group.empty() ? name : within.group,
                     {},
                     within.path + name + "/",
                     name,
                     within.is_frozen};
    const std::string path = place.layer;
    entries_.try_emplace(path, Entry{std::move(place), &config.as_object()});
    // What is read has an activation that is a layer object as a layer behind its host.
    const Json* activation = config.find("activation");
    if (const Json* own = activation ? activation->find("config") : nullptr; own && activation->find("class_name"))
      if (const std::string own_name = text_of(own->find("name")); !own_name.empty())
        add(*activation, own_name, within);
  }

  std::map<std::string, Entry> entries_;
};

class Reader {
 public:
  Reader(const Entries& entries, const Architecture& architecture, const BindingMaker::WeightSteps& weight_steps)
      : entries_(entries),
        architecture_(without_implied(architecture)),
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
        maker.bind(layer, rule.part, *entry->config, entry->place.layer, rules, result);
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
  const Architecture architecture_;
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

std::optional<KerasBindings> read_bindings(const Json& model_config, const Architecture& architecture,
                                           const BindingMaker::WeightSteps& weight_steps) {
  const auto names = output_names_in(model_config, architecture);
  if (!names) return std::nullopt;
  const Entries entries(model_config);
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
  if (result) result->output_names = *names;
  return result;
}

std::optional<std::vector<std::string>> output_names_in(const Json& model_config, const Architecture& architecture) {
  std::vector<std::pair<std::string, std::string>> found;  // with their keys, where they are a dict
  const Json* config = model_config.find("config");
  if (const Json* ports = config ? config->find("output_layers") : nullptr) {
    for_each_port(*ports, [&](const std::string& key, const History& port) { found.emplace_back(key, port.layer); });
  } else if (const Json* layers = layers_of(model_config); layers && !layers->as_array().empty()) {
    const Json* last = layers->as_array().back().find("config");
    found.emplace_back("", last ? text_of(last->find("name")) : "");
  }
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
