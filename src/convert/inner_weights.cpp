#include "convert/inner_weights.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <string>

#include "convert/object_weights.h"
#include "h5bridge/error.h"
#include "keras/object_paths.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

struct Planned {
  std::string layer;  // "encoder/dense"
  std::string path;   // "dense/kernel"
  bool is_saved_last;
};

std::string without_number(const std::string& path) {
  return path.ends_with(":0") ? path.substr(0, path.size() - 2) : path;
}

// "kernel" of "kernel_1", as TensorFlow 1 called the second of a scope: of cells in a stack, say.
std::string without_count(const std::string& name) {
  const std::size_t end = name.find_last_not_of("0123456789");
  const bool is_counted = end != std::string::npos && end + 1 < name.size() && name[end] == '_';
  return is_counted ? name.substr(0, end) : name;
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// What there is in the group of each inner model, in the order in which Keras saves it.
std::map<std::string, std::vector<Planned>> planned_by_group(const KerasBindings& bound) {
  std::map<std::string, std::vector<Planned>> result;
  for (const KerasBinding& binding : bound.bindings)
    if (binding.is_within())
      for (const std::string& variable : binding.variables)
        result[binding.group].push_back(
            {binding.layer, last_part(binding.layer) + "/" + variable, binding.is_saved_last()});
  for (auto& [group, planned] : result) std::ranges::stable_partition(planned, std::not_fn(&Planned::is_saved_last));
  return result;
}

// For each variable the one that is planned, as paths say; nullopt unless each names one, and another.
std::optional<std::vector<std::size_t>> by_path(const std::vector<KerasVariable>& variables,
                                                const std::vector<Planned>& planned) {
  std::vector<std::size_t> result;
  std::vector<bool> taken(planned.size(), false);
  for (const KerasVariable& variable : variables) {
    const std::string path = "/" + without_number(variable.path);
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < planned.size(); ++i)
      if (path.ends_with("/" + planned[i].path)) {
        if (found) return std::nullopt;
        found = i;
      }
    if (!found || taken[*found]) return std::nullopt;
    taken[*found] = true;
    result.push_back(*found);
  }
  return result;
}

// Keras 2 has the scale of an RMSNormalization as the kernel of an EinsumDense (keras/to_keras_2/recipes.h).
bool is_called(const std::string& name, const std::string& wanted) {
  return name == wanted || without_count(name) == wanted || (name == "kernel" && wanted == "scale");
}

std::vector<std::size_t> by_place(const KerasLayerWeights& weights, const std::vector<Planned>& planned) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const std::string& path = weights.variables[i].path;
    const std::string name = last_part(without_number(path)), wanted = last_part(planned[i].path);
    if (!is_called(name, wanted))
      throw MalformedFile("/model_weights/" + weights.layer + " holds " + shortened(path) + " where " +
                          planned[i].path + " is expected");
    result.push_back(i);
  }
  return result;
}

}  // namespace

std::vector<KerasLayerWeights> weights_by_layer(const std::vector<KerasLayerWeights>& layers,
                                                const KerasBindings& bound) {
  const std::map<std::string, std::vector<Planned>> inner = planned_by_group(bound);
  std::vector<KerasLayerWeights> result;
  for (const KerasLayerWeights& weights : layers) {
    const auto group = inner.find(weights.layer);
    if (group == inner.end()) {
      result.push_back(weights);
      continue;
    }
    const std::vector<Planned>& planned = group->second;
    if (planned.size() != weights.variables.size())
      throw MalformedFile("/model_weights/" + weights.layer + " holds " + std::to_string(weights.variables.size()) +
                          " variables, expected " + std::to_string(planned.size()) + " of the model within the model");
    const std::optional<std::vector<std::size_t>> paths = by_path(weights.variables, planned);
    const std::vector<std::size_t> places = paths ? *paths : by_place(weights, planned);
    std::map<std::string, std::size_t> made;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::string& layer = planned[places[i]].layer;
      const auto [place, is_new] = made.emplace(layer, result.size());
      if (is_new) result.push_back({layer, {}});
      result[place->second].variables.push_back(weights.variables[i]);
    }
  }
  return result;
}

namespace {

// An activation that is a layer object has its variables in the group of its host: "dense/inner/alpha".
void take_activations_apart(const KerasModel& model, std::vector<KerasLayerWeights>& layers) {
  const ObjectPaths objects = object_paths(model);
  for (const auto& [activation, path] : objects) {
    constexpr std::string_view kEnd = "/activation";
    if (!path.ends_with(kEnd)) continue;
    const auto host = std::ranges::find(objects, path.substr(0, path.size() - kEnd.size()),
                                        [](const auto& object) { return object.second; });
    const auto weights =
        host == objects.end() ? layers.end() : std::ranges::find(layers, host->first, &KerasLayerWeights::layer);
    if (weights == layers.end()) continue;
    std::vector<KerasVariable>& all = weights->variables;
    const auto own = std::ranges::stable_partition(all, [&](const KerasVariable& variable) {
      return variable.path.find("/" + last_part(activation) + "/") == std::string::npos;
    });
    if (own.empty()) continue;
    KerasLayerWeights apart{activation, {own.begin(), own.end()}};
    all.erase(own.begin(), own.end());
    layers.push_back(std::move(apart));
  }
}

}  // namespace

std::vector<KerasLayerWeights> weights_by_layer(const KerasFile& file, std::vector<KerasLayerWeights> layers,
                                                const KerasBindings& bound, const KerasModel& model) {
  if (!file.objects.empty()) return weights_of_objects(file, bound, model);
  if (file.model_config.is_object()) take_activations_apart(model, layers);
  return weights_by_layer(layers, bound);
}

}  // namespace h5bridge
