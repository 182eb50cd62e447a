#include "keras/inner_places.h"

#include <algorithm>
#include <set>

#include "keras/inline_models.h"
#include "keras/wrappers.h"

namespace h5bridge {
namespace {

// The models of this one that are frozen, whatever their layers are.
std::set<std::string> frozen_models(const Json& model_config) {
  std::set<std::string> result;
  const Json* layers = model_config.at("config").find("layers");
  if (!layers || !layers->is_array()) return result;
  for (const Json& layer : layers->as_array()) {
    const Json* trainable = layer.at("config").find("trainable");
    if (is_model_entry(layer) && trainable && *trainable == Json(false)) result.insert(entry_name(layer));
  }
  return result;
}

}  // namespace

KerasPlan within_inner_models(KerasPlan plan, const Json& model_config) {
  std::vector<std::string> layers;
  for_each_entry(model_config, [&](const std::string& layer, const Json&, bool) { layers.push_back(layer); });
  const std::set<std::string> frozen = frozen_models(model_config);
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
