#include "keras/to_keras_2/graphs.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "keras/inner_layers.h"
#include "keras/to_keras_2/calls.h"
#include "keras/to_keras_2/in_parts.h"
#include "keras/to_keras_2/since.h"
#include "keras/wrappers.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr std::string_view kChain = "Sequential";

// What a model has that takes a graph: layers by the names of the Sequential models that they are in, and those that
// another layer wraps.
struct Found {
  std::map<std::string, std::vector<std::string>> in_chains;
  std::vector<std::string> wrapped;
};

std::string described(const Json& entry) {
  return quoted(entry.at("config").at("name")) + " (" + entry.at("class_name").as_string() + ")";
}

bool is_model(const Json& entry) { return is_model_class(entry.at("class_name").as_string()); }

void find_in(const Json& model, Found& found) {
  const Json& config = model.at("config");
  const bool is_chain = model.at("class_name") == Json(kChain);
  for (const Json& layer : config.at("layers").as_array()) {
    const Json* wrapped = layer.at("config").find("layer");
    if (is_model(layer))
      find_in(layer, found);
    else if (const Json* within = wrapped_model(layer))
      find_in(*within, found);
    else if (wrapped && wrapped->is_object() && wrapped->find("module") && takes_a_graph(*wrapped))
      found.wrapped.push_back(described(layer));
    else if (is_chain && takes_a_graph(layer))
      found.in_chains[config.at("name").as_string()].push_back(described(layer));
  }
}

}  // namespace

bool takes_within_in_keras_2(const std::string& activation) {
  return class_since("activations.", activation == "silu" ? "swish" : activation).has_value();
}

bool make_graphs(Architecture& architecture, const Json& model_config, std::vector<std::string>& notes) {
  Found found;
  find_in(model_config, found);
  for (const auto& [name, layers] : found.in_chains) {
    const auto open = [&](KerasModelOrigin& model) {
      if (model.class_name == kChain && model.name == name) model.class_name = "Functional";
    };
    open(architecture.keras);
    for (Scope& scope : architecture.scopes) open(scope.keras);
    notes.push_back("the Sequential model " + quoted(Json(name)) + " is a Functional one, as Keras 2 says " +
                    joined(layers) + " by several layers");
  }
  if (!found.wrapped.empty()) {
    architecture = without_wrappers(std::move(architecture));
    notes.push_back("its TimeDistributed are taken apart, as Keras 2 says what is in " + joined(found.wrapped) +
                    " by several layers");
  }
  return !found.in_chains.empty() || !found.wrapped.empty();
}

}  // namespace h5bridge
