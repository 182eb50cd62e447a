#include "convert/shared_layers.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "keras/parse_tree.h"

namespace h5bridge {
namespace {

using Paths = std::vector<std::string>;

Paths paths_of(const KerasLayerWeights& layer) {
  Paths paths;
  for (const KerasVariable& variable : layer.variables) paths.push_back(variable.path);
  return paths;
}

// Keras numbers the objects that it meets again, and not where it meets them first.
Json without_ids(const Json& json) {
  if (!json.is_object()) return json;
  Json::Object result;
  for (const auto& [name, value] : json.as_object())
    if (name != "shared_object_id") result.set(name, without_ids(value));
  return result;
}

bool is_one_number(const Tensor& tensor) {
  if (tensor.element_count() < 2) return true;
  const std::vector<std::byte> bytes = tensor.read();
  return std::equal(bytes.begin() + static_cast<std::ptrdiff_t>(size_of(tensor.dtype())), bytes.end(), bytes.begin());
}

bool has_slots(const KerasFile& file, const std::string& variable) {
  const std::string flat = keras_name(variable) + "_";
  return std::ranges::any_of(file.optimizer, [&](const KerasVariable& slot) {
    return slot.path.substr(slot.path.find('/') + 1).starts_with(flat);
  });
}

}  // namespace

SharedLayers layers_of_one_path(const std::vector<KerasLayerWeights>& weights) {
  SharedLayers pairs;
  std::map<Paths, std::string> first;
  for (const KerasLayerWeights& layer : weights) {
    if (layer.variables.empty()) continue;
    const auto [known, is_new] = first.emplace(paths_of(layer), layer.layer);
    if (!is_new) pairs.emplace_back(known->second, layer.layer);
  }
  return pairs;
}

ConfiguredLayers::ConfiguredLayers(const KerasModel& model) {
  visit_layers(model, [&](const std::string& name, const KerasLayer& layer) { layers_.emplace(name, layer); });
}

bool ConfiguredLayers::are_alike(const std::string& layer, const std::string& other) const {
  const auto one = layers_.find(layer), two = layers_.find(other);
  return one != layers_.end() && two != layers_.end() && one->second.class_name == two->second.class_name &&
         without_ids(one->second.config) == without_ids(two->second.config);
}

SharedLayers shared_layers(const SharedLayers& pairs, const KerasFile& file, const KerasModel& model,
                           const std::vector<KerasLayerWeights>& weights) {
  if (pairs.empty()) return {};
  const ConfiguredLayers configured(model);
  SharedLayers result;
  std::ranges::copy_if(pairs, std::back_inserter(result), [&](const auto& pair) {
    const auto one = std::ranges::find(weights, pair.first, &KerasLayerWeights::layer);
    const auto other = std::ranges::find(weights, pair.second, &KerasLayerWeights::layer);
    const auto tells = [&](const KerasVariable& variable) {
      return has_slots(file, variable.path) || !is_one_number(variable.tensor);
    };
    return configured.are_alike(pair.first, pair.second) && std::ranges::any_of(one->variables, tells) &&
           std::ranges::equal(one->variables, other->variables, [](const KerasVariable& a, const KerasVariable& b) {
             return bit_equal(a.tensor, b.tensor);
           });
  });
  return result;
}

std::vector<std::pair<std::string, std::string>> tensors_of_both(const std::pair<std::string, std::string>& layers,
                                                                 const KerasBindings& bound) {
  const auto tensors_of = [&](const std::string& layer) {
    std::vector<std::string> names;
    for (const KerasBinding& binding : bound.bindings)
      if (binding.layer == layer)
        for (const KerasBinding::Source& source : binding.torch) names.push_back(source.name);
    return names;
  };
  const std::vector<std::string> one = tensors_of(layers.first), other = tensors_of(layers.second);
  std::vector<std::pair<std::string, std::string>> result;
  for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i) result.emplace_back(one[i], other[i]);
  return result;
}

}  // namespace h5bridge
