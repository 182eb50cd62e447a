#include "passes/frozen.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "facets/registry.h"
#include "facets/spec/layer_type.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

bool keeps_statistics(const Layer& layer) {
  return layer.attributes.contains("track_running_stats") && layer.attributes.boolean("track_running_stats");
}

// Of what Keras has within a layer: the directions of a Bidirectional.
void thaw_parts(Json::Object& config) {
  for (auto& [key, value] : config)
    if (value.is_object()) {
      if (Json* trainable = value.as_object().find("trainable"); trainable && *trainable == Json(false))
        *trainable = true;
      thaw_parts(value.as_object());
    }
}

// Likewise of cells that differ, which are layers within the layer.
void thaw_cells(Layer& layer) {
  if (!layer.attributes.contains("cells")) return;
  std::vector<Layer> cells = layer.attributes.layers("cells");
  for (Layer& cell : cells) cell.keras.trainable.reset();
  layer.attributes.set("cells", std::move(cells));
}

}  // namespace

std::vector<std::string> parameter_names(const Layer& layer) {
  std::vector<std::string> names;
  for (const ParameterSpec& spec : Registry::instance().type_of(layer).parameters(layer.attributes))
    if (spec.role == Role::Parameter) names.push_back(tensor_name(layer.name, spec.name));
  return names;
}

// Of a model within the model, its layers alone say it: they may be trained again.
bool is_frozen_as_a_whole(const Architecture& architecture) { return architecture.keras.trainable == false; }

bool is_frozen_in_keras(const Layer& layer) { return layer.keras.trainable == false; }

void thaw(Architecture& architecture, const std::map<std::string, bool>& trainable) {
  const auto is_trained = [&](const std::string& name) {
    const auto said = trainable.find(name);
    return said != trainable.end() && said->second;
  };
  const auto is_thawed = [&](const Layer& layer) { return std::ranges::any_of(parameter_names(layer), is_trained); };
  // Keras freezes all that is in a frozen model: once it is none, each layer that stays frozen has to say so.
  if (is_frozen_as_a_whole(architecture) && std::ranges::any_of(architecture.layers, is_thawed)) {
    architecture.keras.trainable = true;
    for (Layer& layer : architecture.layers)
      if (!is_thawed(layer) && !parameter_names(layer).empty()) layer.keras.trainable = false;
  }
  for (Layer& layer : architecture.layers) {
    if (!is_thawed(layer)) continue;
    if (std::ranges::all_of(parameter_names(layer), is_trained)) {
      thaw_parts(layer.keras.config);
      thaw_cells(layer);
    }
    if (!is_frozen_in_keras(layer)) continue;
    layer.keras.trainable = true;
    for (Scope& scope : architecture.scopes)
      if (scope.keras.trainable == false && layer.name.starts_with(scope.name + ".")) scope.keras.trainable = true;
  }
}

Architecture with_frozen_layers(Architecture architecture, const std::map<std::string, bool>& trainable,
                                std::vector<std::string>& notes) {
  thaw(architecture, trainable);
  if (is_frozen_as_a_whole(architecture)) return architecture;
  const auto is_frozen = [&](const std::string& name) {
    const auto said = trainable.find(name);
    return said != trainable.end() && !said->second;
  };
  for (Layer& layer : architecture.layers) {
    if (is_frozen_in_keras(layer)) continue;
    const std::vector<std::string> names = parameter_names(layer);
    std::vector<std::string> frozen;
    std::ranges::copy_if(names, std::back_inserter(frozen), is_frozen);
    if (frozen.empty() || frozen.size() < names.size()) continue;
    layer.keras.trainable = false;
    if (keeps_statistics(layer))
      notes.push_back(describe(layer) +
                      ": frozen, it keeps to its running statistics in Keras's training, and follows the batch's in "
                      "PyTorch's");
  }
  return architecture;
}

std::vector<std::string> frozen_parameters(const Architecture& architecture) {
  std::vector<std::string> names = architecture.frozen;
  for (const Layer& layer : architecture.layers)
    if (is_frozen_in_keras(layer) || is_frozen_as_a_whole(architecture))
      std::ranges::move(parameter_names(layer), std::back_inserter(names));
  return names;
}

std::vector<std::string> frozen_parameters(const Architecture& architecture,
                                           const std::map<std::string, bool>& trainable) {
  std::set<std::string> names;
  for (std::string& name : frozen_parameters(architecture))
    if (!trainable.contains(name)) names.insert(std::move(name));
  for (const auto& [name, trained] : trainable)
    if (!trained) names.insert(name);
  // What Keras does not train are buffers, too.
  for (const std::string& name : architecture.buffers) names.erase(name);
  for (const NamedParameter& parameter : parameters_of(architecture))
    if (parameter.spec.role == Role::Buffer) names.erase(parameter.name);
  return {names.begin(), names.end()};
}

std::vector<std::string> partly_frozen(const Architecture& architecture) {
  const std::set<std::string> frozen(architecture.frozen.begin(), architecture.frozen.end());
  const auto is_frozen = [&](const std::string& name) { return frozen.contains(name); };
  std::vector<std::string> result;
  for (const Layer& layer : architecture.layers)
    if (const auto names = parameter_names(layer); !std::ranges::all_of(names, is_frozen))
      std::ranges::copy_if(names, std::back_inserter(result), is_frozen);
  return result;
}

Architecture with_frozen_names(Architecture architecture, const std::map<std::string, bool>& trainable) {
  thaw(architecture, trainable);
  std::vector<std::string> frozen;
  std::set<std::string> known;
  for (const Layer& layer : architecture.layers)
    for (std::string& name : parameter_names(layer)) {
      const auto said = trainable.find(name);
      if (said == trainable.end() || !known.insert(name).second) continue;
      if (!said->second && !is_frozen_in_keras(layer) && !is_frozen_as_a_whole(architecture))
        frozen.push_back(std::move(name));
    }
  // Parameters that nothing computes with are as they were.
  std::ranges::copy_if(architecture.frozen, std::back_inserter(frozen),
                       [&](const std::string& name) { return !known.contains(name); });
  architecture.frozen = std::move(frozen);
  return architecture;
}

}  // namespace h5bridge
