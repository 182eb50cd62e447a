#include "keras/only_model.h"

#include <algorithm>

#include "keras/call.h"
#include "keras/inline_models.h"

namespace h5bridge {
namespace {

std::vector<History> tensors_in(const Json* ports) {
  std::vector<History> result;
  if (ports) for_each_port(*ports, [&](const std::string&, const History& port) { result.push_back(port); });
  return result;
}

// The entry of the model that has nothing beside it but inputs; nullptr if there is another.
const Json* only_entry(const Json::Object& config) {
  const Json* layers = config.find("layers");
  const Json* found = nullptr;
  if (!layers || !layers->is_array()) return nullptr;
  for (const Json& layer : layers->as_array()) {
    if (layer.at("class_name") == Json("InputLayer")) continue;
    if (found || !is_model_entry(layer)) return nullptr;
    found = &layer;
  }
  return found;
}

bool hands_all_on(const Json::Object& outer, const Json& inner) {
  const Json* nodes = inner.find("inbound_nodes");
  if (!outer.find("output_layers")) return true;  // a Sequential
  if (!nodes || !nodes->is_array() || nodes->as_array().size() != 1) return false;
  std::vector<History> results = tensors_in(outer.find("output_layers"));
  const Json* made = inner.at("config").find("output_layers");
  const std::size_t count = made ? tensors_in(made).size() : 1;
  for (std::size_t i = 0; i < results.size(); ++i)
    if (results[i].layer != entry_name(inner) || results[i].tensor != static_cast<std::int64_t>(i)) return false;
  return results.size() == count &&
         CallArguments::from_node(nodes->as_array()[0]).tensors() == tensors_in(outer.find("input_layers"));
}

}  // namespace

std::string only_model_in(const Json& model_config) {
  const Json* config = model_config.is_object() ? model_config.find("config") : nullptr;
  const Json* inner = config && config->is_object() ? only_entry(config->as_object()) : nullptr;
  if (!inner || !hands_all_on(config->as_object(), *inner)) return "";
  const std::string deeper = only_model_in(*inner);
  return entry_name(*inner) + (deeper.empty() ? "" : "/" + deeper);
}

KerasPlan within_model(KerasPlan plan, const Json& model_config, const std::string& path) {
  const std::string group = path.substr(0, path.find('/'));
  const Json* entry = only_entry(model_config.at("config").as_object());
  const Json* trainable = entry->at("config").find("trainable");
  for (KerasBinding& binding : plan.bindings) {
    binding.layer = path + "/" + binding.layer;
    binding.group = group;
    binding.in_frozen_group = binding.in_frozen_group || (trainable && *trainable == Json(false));
  }
  return plan;
}

}  // namespace h5bridge
