#include "keras/activations.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "facets/registry.h"
#include "h5bridge/architecture.h"
#include "keras/from_older/nodes.h"
#include "keras/inline_models.h"

namespace h5bridge {
namespace {

const Json* name_of_entry(const Json& layer) {
  const Json* config = layer.find("config");
  const Json* name = config ? config->find("name") : nullptr;
  return name && name->is_string() ? name : nullptr;
}

// Whether the class applies its activation to its output, as a recurrent one does not.
bool applies_to_output(const Json& class_name) {
  if (!class_name.is_string()) return false;
  return std::ranges::any_of(Registry::instance().keras_class(class_name.as_string()), [](const KerasMapping* mapping) {
    const AttributeSpec* activation = Registry::instance().find(mapping->type)->find_attribute("activation");
    return mapping->fixed.contains("activation") || (activation && activation->fallback == AttributeValue("linear"));
  });
}

// The activation of a layer, if it is a layer object: functions are objects of class "function" or by their names.
const Json* activation_object(const Json& layer) {
  const Json* config = layer.find("config");
  const Json* activation = config ? config->find("activation") : nullptr;
  const Json* class_name = activation ? activation->find("class_name") : nullptr;
  const bool is_layer = class_name && *class_name != Json("function") && name_of_entry(*activation);
  return is_layer && name_of_entry(layer) && applies_to_output(layer.at("class_name")) ? activation : nullptr;
}

Json* find(Json& json, std::string_view member) { return json.is_object() ? json.as_object().find(member) : nullptr; }

class Apart {
 public:
  /// `config`: that of the model. Gives the activations that are layers there now.
  std::map<std::string, ActivationApart> run(Json& config) {
    Json* layers = find(config, "layers");
    if (!layers || !layers->is_array()) return {};
    for (const Json& layer : layers->as_array())
      if (const Json* name = name_of_entry(layer)) names_.insert(name->as_string());
    Json::Array all;
    for (Json& layer : layers->as_array()) {
      std::optional<Json> apart;
      if (const Json* activation = activation_object(layer)) {
        apart = entry_for(*activation, layer);
        find(layer, "config")->as_object().set("activation", "linear");
      }
      all.push_back(std::move(layer));
      if (apart) all.push_back(std::move(*apart));
    }
    for (Json& layer : all)
      if (Json* nodes = find(layer, "inbound_nodes"); nodes && !is_apart(layer)) redirect(*nodes);
    *layers = std::move(all);
    if (Json* outputs = find(config, "output_layers")) redirect(*outputs);
    return std::move(apart_);
  }

 private:
  bool is_apart(const Json& layer) const {
    const Json* name = name_of_entry(layer);
    return name && apart_.contains(name->as_string());
  }

  Json entry_for(const Json& activation, const Json& layer) {
    const std::string host = name_of_entry(layer)->as_string();
    const std::string name = unique_name(name_of_entry(activation)->as_string(),
                                         [&](const std::string& candidate) { return names_.contains(candidate); });
    names_.insert(name);
    hosts_[host] = name;
    Json result = activation;
    Json::Object config = activation.at("config").as_object();
    config.set("name", name);
    result.as_object().set("config", std::move(config));
    result.as_object().set("name", name);
    apart_[name] = {host, name_of_entry(activation)->as_string()};
    if (const Json* nodes = layer.find("inbound_nodes")) {
      Json::Array calls;
      for (std::int64_t call = 0; call < static_cast<std::int64_t>(nodes->as_array().size()); ++call) {
        Json::Object made{{"args", Json::Array{keras_tensor(Json::Array{host, call, 0})}}, {"kwargs", Json::Object{}}};
        if (const Json* part = nodes->as_array()[static_cast<std::size_t>(call)].find(kScopeCall))
          made.set(kScopeCall, *part);
        calls.push_back(std::move(made));
      }
      result.as_object().set("inbound_nodes", std::move(calls));
    }
    return result;
  }

  // [layer, call, output], in the nodes of Keras 1 and 2 with a fourth member.
  static bool is_history(const Json::Array& array) {
    return (array.size() == 3 || array.size() == 4) && array[0].is_string() && array[1].is_integer() &&
           array[2].is_integer();
  }

  // What takes a layer's output now takes that of its activation.
  void redirect(Json& json) {
    if (json.is_array()) {
      Json::Array& array = json.as_array();
      if (is_history(array))
        if (const auto found = hosts_.find(array[0].as_string()); found != hosts_.end()) array[0] = found->second;
      for (Json& element : array) redirect(element);
    } else if (json.is_object()) {
      for (auto& [name, member] : json.as_object()) redirect(member);
    }
  }

  std::set<std::string> names_;
  std::map<std::string, std::string> hosts_;  // a layer's name to that of its activation
  std::map<std::string, ActivationApart> apart_;
};

}  // namespace

ActivationsApart with_activations_apart(Json model_config) {
  ActivationsApart result{std::move(model_config), {}};
  if (Json* config = find(result.model, "config")) result.activations = Apart().run(*config);
  return result;
}

}  // namespace h5bridge
