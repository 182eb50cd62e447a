#include "keras/dialects/users_classes.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "keras/inner_layers.h"

namespace h5bridge {
namespace {

constexpr std::array<std::string_view, 1> kWrappedOptimizer{"inner_optimizer"};

bool is_keras_module(std::string_view module) {
  const auto is_within = [&](std::string_view package) {
    return module.starts_with(package) && (module.size() == package.size() || module[package.size()] == '.');
  };
  return module == "builtins" || is_within("keras") || is_within("tf_keras") || is_within("tensorflow");
}

// What a user's class is called; "" for one of Keras's, or where nothing tells. That of a script has no module.
std::string users_name(const Json& object) {
  const Json* class_name = object.find("class_name");
  const Json* module = object.find("module");
  const Json* registered = object.find("registered_name");
  if (!class_name || !class_name->is_string() || !module || !registered || !registered->is_string()) return "";
  if (module->is_string() ? is_keras_module(module->as_string()) : !module->is_null()) return "";
  if (registered->as_string().find('>') != std::string::npos) return registered->as_string();
  return (module->is_string() ? module->as_string() : "__main__") + ">" + class_name->as_string();
}

bool has_users(const Json& object, std::span<const std::string_view> parts) {
  if (object.is_array())
    return std::ranges::any_of(object.as_array(), [&](const Json& element) { return has_users(element, parts); });
  if (!object.is_object()) return false;
  if (!users_name(object).empty()) return true;
  const Json* config = object.find("config");
  return config && std::ranges::any_of(parts, [&](const std::string_view part) {
           const Json* within = config->find(part);
           return within && has_users(*within, parts);
         });
}

void rename_users(Json& object, std::span<const std::string_view> parts) {
  if (object.is_array())
    for (Json& element : object.as_array()) rename_users(element, parts);
  if (!object.is_object()) return;
  if (const std::string name = users_name(object); !name.empty()) object.as_object().set("class_name", name);
  Json* config = object.as_object().find("config");
  if (!config || !config->is_object()) return;
  for (const std::string_view part : parts)
    if (Json* within = config->as_object().find(std::string(part))) rename_users(*within, parts);
}

}  // namespace

Json with_users_classes(Json model_config) {
  std::vector<std::string_view> layers(kLayerLists.begin(), kLayerLists.end());
  layers.insert(layers.end(), kLayerMembers.begin(), kLayerMembers.end());
  // What is walked through to be changed is shared with no copy any more.
  if (has_users(model_config, layers)) rename_users(model_config, layers);
  return model_config;
}

Json with_users_optimizer(Json optimizer_config) {
  rename_users(optimizer_config, kWrappedOptimizer);
  return optimizer_config;
}

}  // namespace h5bridge
