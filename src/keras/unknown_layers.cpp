#include "keras/unknown_layers.h"

#include <algorithm>
#include <string>

#include "facets/registry.h"
#include "keras/inline_models.h"
#include "keras/wrappers.h"

namespace h5bridge {
namespace {

// Keras's .h5 drops where a class lives; of an operation there is a name, and no "trainable".
bool is_operation_entry(const Json& layer) {
  const Json* module = layer.find("module");
  if (!module || !module->is_string()) return !layer.at("config").find("trainable");
  return module->as_string().starts_with("keras.") && !module->as_string().starts_with("keras.layers");
}

bool is_unknown(const Json& layer) {
  const std::string& class_name = layer.at("class_name").as_string();
  return class_name != "InputLayer" && !is_model_entry(layer) && !is_wrapper_entry(layer) &&
         !is_operation_entry(layer) && Registry::instance().keras_class(class_name).empty();
}

// A class of somebody's own states settings alone: a backbone of keras-hub, a subclassed model.
bool describes_none(const Json& model_config) {
  const Json* config = model_config.find("config");
  return config && config->is_object() && !config->find("layers");
}

}  // namespace

bool has_unknown_layers(const Json& model_config) {
  bool found = describes_none(model_config);
  for_each_entry(model_config,
                 [&](const std::string&, const Json& layer, bool) { found = found || is_unknown(layer); });
  return found;
}

}  // namespace h5bridge
