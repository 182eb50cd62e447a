#include "keras/unknown_layers.h"

#include <algorithm>
#include <string>

#include "facets/registry.h"
#include "keras/parse_tree.h"

namespace h5bridge {
namespace {

// Keras's .h5 drops where a class lives; of an operation there is a name, and no "trainable".
bool may_be_function(const KerasLayer& layer) {
  if (layer.module.empty()) return !layer.find("trainable");
  return layer.module.starts_with("keras.") && !layer.module.starts_with("keras.layers");
}

bool is_unknown(const KerasLayer& layer) {
  return layer.class_name != "InputLayer" && !may_be_function(layer) &&
         Registry::instance().keras_class(layer.class_name).empty();
}

// A class of somebody's own states settings alone: a backbone of keras-hub, a subclassed model. A tree without layers
// does not tell that from a model that is said to have none.
bool describes_none(const Json& model_config) {
  const Json* config = model_config.find("config");
  return config && config->is_object() && !config->find("layers");
}

}  // namespace

bool has_unknown_layers(const Json& model_config) {
  bool found = describes_none(model_config);
  visit_layers(parse_layers(model_config),
               [&](const std::string&, const KerasLayer& layer) { found = found || is_unknown(layer); });
  return found;
}

}  // namespace h5bridge
