#include "keras/shared_uses.h"

#include <algorithm>
#include <map>
#include <set>

#include "facets/registry.h"
#include "keras/call.h"
#include "keras/plan.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

struct Use {
  const KerasMapping* host;
  const SharedUse* use;
};

std::optional<Use> use_of(const Json& layer) {
  const Json* class_name = layer.find("class_name");
  for (const Family& family : Registry::instance().families())
    for (const KerasMapping& mapping : family.keras)
      for (const SharedUse& use : mapping.shared_uses)
        if (class_name && *class_name == Json(use.class_name)) return Use{&mapping, &use};
  return std::nullopt;
}

// Whether each of `settings` is among the members of `json`.
bool has_all(const Json& json, const Json::Object& settings) {
  return std::ranges::all_of(settings, [&](const Json::Member& setting) {
    const Json* value = json.find(setting.first);
    return value && *value == setting.second;
  });
}

class Splitter {
 public:
  SplitConfiguration run(Json model) {
    Json* config = model.is_object() ? model.as_object().find("config") : nullptr;
    Json* layers = config && config->is_object() ? config->as_object().find("layers") : nullptr;
    if (layers && layers->is_array()) {
      for (const Json& layer : layers->as_array())
        if (const Json* name = layer.find("name"); name && name->is_string()) names_.insert(name->as_string());
      Json::Array split;
      for (Json& layer : layers->as_array()) add(std::move(layer), split);
      *layers = std::move(split);
      if (!moved_.empty()) follow(*config);
    }
    return {std::move(model), std::move(pairs_)};
  }

 private:
  void add(Json layer, Json::Array& split) {
    const std::optional<Use> use = use_of(layer);
    const Json* nodes = layer.find("inbound_nodes");
    if (!use || !nodes || !nodes->is_array() || !has_all(layer.at("config"), use->use->config))
      return split.push_back(std::move(layer));
    const std::string name = layer.at("config").at("name").as_string();
    const std::string other = unique_name(name + "_" + use->use->call.begin()->first,
                                          [&](const std::string& taken) { return names_.contains(taken); });
    Json::Array own_nodes, other_nodes;
    std::vector<History> calls;  // what each call becomes
    for (const Json& node : nodes->as_array()) {
      const Json* keywords = node.is_object() ? node.find("kwargs") : nullptr;
      const bool is_other = keywords && has_all(*keywords, use->use->call);
      Json::Array& kept = is_other ? other_nodes : own_nodes;
      calls.push_back({is_other ? other : name, static_cast<std::int64_t>(kept.size()), 0});
      kept.push_back(node);
      for (const auto& [key, value] : use->use->call)
        if (keywords) kept.back().as_object().find("kwargs")->as_object().erase(key);
    }
    if (own_nodes.empty()) return split.push_back(std::move(layer));
    Json::Object own = layer.as_object();
    own.set("class_name", use->host->class_name);
    Json::Object own_config = own.at("config").as_object();
    for (const auto& [key, value] : use->use->config) own_config.erase(key);
    if (!other_nodes.empty()) {
      names_.insert(other);
      pairs_.emplace_back(name, other);
      split.push_back(other_layer(*use->use, own_config, other, std::move(other_nodes)));
    }
    own.set("config", std::move(own_config));
    own.set("inbound_nodes", std::move(own_nodes));
    split.push_back(std::move(own));
    moved_[name] = std::move(calls);
  }

  static Json other_layer(const SharedUse& use, const Json::Object& host, const std::string& name, Json::Array nodes) {
    Json::Object config{{"name", name}};
    for (const char* key : {"trainable", "dtype"})
      if (const Json* said = host.find(key)) config.set(key, *said);
    for (const auto& [key, value] : use.other_config(host)) config.set(key, value);
    return Json::Object{{"module", "keras.layers"},
                        {"class_name", use.other_class},
                        {"config", std::move(config)},
                        {"registered_name", nullptr},
                        {"name", name},
                        {"inbound_nodes", std::move(nodes)}};
  }

  // Every tensor, wherever it stands.
  void follow(Json& json) {
    if (is_history(json)) {
      const History before = history_of(json);
      const auto calls = moved_.find(before.layer);
      if (calls == moved_.end() || before.call < 0 || static_cast<std::size_t>(before.call) >= calls->second.size())
        return;
      const History& after = calls->second[static_cast<std::size_t>(before.call)];
      json = Json::Array{after.layer, after.call, before.tensor};
    } else if (json.is_array()) {
      for (Json& element : json.as_array()) follow(element);
    } else if (json.is_object()) {
      for (auto& [name, member] : json.as_object()) follow(member);
    }
  }

  std::set<std::string> names_;
  std::map<std::string, std::vector<History>> moved_;  // by the layer's name: what its calls are now
  std::vector<std::pair<std::string, std::string>> pairs_;
};

std::set<std::string> layer_names(const Json& model_config) {
  std::set<std::string> result;
  for (const Json& layer : model_config.at("config").at("layers").as_array())
    result.insert(layer.at("config").at("name").as_string());
  return result;
}

bool has_use(const Layer& host, const Layer& other) {
  return std::ranges::any_of(Registry::instance().keras_of(host.type), [&](const KerasMapping* mapping) {
    return std::ranges::any_of(mapping->shared_uses, [&](const SharedUse& use) {
      return use.type == other.type && use.fits(host.attributes, other.attributes);
    });
  });
}

std::vector<ParameterSpec> parameters_of(const Layer& layer) {
  return Registry::instance().type_of(layer).parameters(layer.attributes);
}

}  // namespace

SplitConfiguration split_shared_uses(Json model_config) { return Splitter().run(std::move(model_config)); }

std::string why_not_shared(const Json& layer) {
  const std::optional<Use> use = use_of(layer);
  if (!use) return "";
  for (const auto& [key, known] : use->use->config)
    if (const Json* value = layer.at("config").find(key); !value || *value != known)
      return "with " + key + "=" + (value ? quoted(*value) : "nothing") + ", there is no layer type for it; with " +
             key + "=" + known.dump() + ", there is";
  return "it is called with " + use->use->call.begin()->first + "=" + use->use->call.begin()->second.dump() +
         " alone, for which there is no layer type yet";
}

void tie_pairs(const std::vector<std::pair<std::string, std::string>>& pairs, Architecture& architecture) {
  for (const auto& [one, other] : pairs) {
    const Layer* first = architecture.find_layer(one);
    const Layer* second = architecture.find_layer(other);
    if (!first || !second) continue;
    const std::vector<ParameterSpec> a = parameters_of(*first), b = parameters_of(*second);
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
      architecture.ties.push_back({tensor_name(one, a[i].name), tensor_name(other, b[i].name)});
  }
}

void learn_ties(const Json& model_config, Architecture& architecture) {
  if (!architecture.ties.empty() || !architecture.state_dict.empty()) return;
  const auto pairs = split_shared_uses(model_config).pairs;
  if (pairs.empty()) return;
  const std::set<std::string> in_file = layer_names(model_config);
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& [host_name, name] : pairs)
    for (const Layer& host : architecture.layers)
      for (const Layer& layer : architecture.layers)
        if (keras_name(host.name) == host_name && !in_file.contains(keras_name(layer.name)) && has_use(host, layer))
          found.emplace_back(host.name, layer.name);
  tie_pairs(found, architecture);
}

}  // namespace h5bridge
