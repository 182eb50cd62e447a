#include "keras/inner_places.h"

#include <algorithm>
#include <set>

#include "keras/parse_tree.h"

namespace h5bridge {
namespace {

// The models of this one that are frozen, whatever their layers are.
std::set<std::string> frozen_models(const KerasModel& model) {
  std::set<std::string> result;
  for (const KerasLayer& layer : model.layers)
    if (layer.model && !layer.model->trainable) result.insert(layer.name);
  return result;
}

}  // namespace

KerasPlan within_inner_models(KerasPlan plan, const KerasModel& model) {
  std::vector<std::string> layers;
  visit_layers(model, [&](const std::string& layer, const KerasLayer&) { layers.push_back(layer); });
  const std::set<std::string> frozen = frozen_models(model);
  for (KerasBinding& binding : plan.bindings) {
    if (std::ranges::find(layers, binding.layer) != layers.end()) continue;
    const std::string end = "/" + binding.layer;
    const auto is_that = [&](const std::string& layer) { return layer.ends_with(end); };
    const auto place = std::ranges::find_if(layers, is_that);
    if (place == layers.end() || std::ranges::count_if(layers, is_that) > 1) continue;
    binding.layer = *place;
    binding.group = place->substr(0, place->find('/'));
    binding.in_frozen_group = binding.in_frozen_group || frozen.contains(binding.group);
  }
  return plan;
}

}  // namespace h5bridge
