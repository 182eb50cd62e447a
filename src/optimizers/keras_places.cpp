#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "h5bridge/error.h"
#include "optimizers/keras_settings.h"
#include "optimizers/keras_slots.h"

namespace h5bridge {
namespace {

// Optimizers without a mapping that have the same slots for every variable (optimizers/lion.py, lamb.py, ftrl.py).
const std::map<std::string, std::vector<SlotMapping>, std::less<>> kKerasAlone{
    {"Lion", {{"", "momentum"}}},
    {"Lamb", {{"", "momentum"}, {"", "velocity"}}},
    {"Ftrl", {{"", "accumulator"}, {"", "linear"}}}};

// nullopt where they are not known.
std::optional<std::vector<SlotMapping>> slots_of(const std::string& class_name, const Json::Object& config) {
  if (const OptimizerMapping* mapping = optimizer_mapping_of_keras(class_name, config))
    return slots_in_use(*mapping, settings_from_keras(*mapping, config));
  const auto alone = kKerasAlone.find(class_name);
  return alone == kKerasAlone.end() ? std::nullopt : std::optional(alone->second);
}

// optimizers/base_optimizer.py, build(): what all optimizers have comes before the slots.
std::vector<std::string> names_in_order(const std::vector<SlotMapping>& slots, const Json::Object& config,
                                        const KerasBindings& bound) {
  const std::string prefix = config.at("name").as_string() + "/";
  std::vector<std::string> names{prefix + "iteration"};
  std::set<std::string> known;
  if (!config.at("learning_rate").is_object()) names.push_back(prefix + "learning_rate");
  const auto add = [&](const std::vector<SlotMapping>& each) {
    for_each_variable_slot(bound, each,
                           [&](const KerasBinding& binding, const std::string& variable, const SlotMapping& slot) {
                             // Layers of one path were one when they were saved, and are trained once.
                             const std::string name = prefix + flat_path(binding, variable) + "_" + slot.keras;
                             if (known.insert(name).second) names.push_back(name);
                           });
  };
  if (is_on(config, "use_ema")) add({{"", "average"}});
  if (is_on(config, "gradient_accumulation_steps")) add({{"", "gradient_accumulator"}});
  add(slots);
  return names;
}

}  // namespace

void name_by_place(KerasOptimizer& keras, const KerasBindings& bound) {
  const Json::Object& config = keras.config.at("config").as_object();
  const std::string& class_name = keras.config.at("class_name").as_string();
  const auto slots = slots_of(class_name, config);
  if (!slots || keras.variables.empty()) return;
  const bool is_kept_as_it_is = !optimizer_mapping_of_keras(class_name, config);
  if (!keras.in_plan_order && is_kept_as_it_is) return;
  if (!keras.in_plan_order)
    throw Unsupported("its variables have no names, and the file's layers stand in another order");
  const std::vector<std::string> names = names_in_order(*slots, config, bound);
  // One that never trained has none but its counters.
  const std::size_t counters = config.at("learning_rate").is_object() ? 1 : 2;
  const bool fits = keras.variables.size() == names.size() || keras.variables.size() == counters;
  if (!fits && is_kept_as_it_is) return;
  if (!fits)
    throw Unsupported("it has " + std::to_string(keras.variables.size()) +
                      " variables, and those that are trained need " + std::to_string(names.size()) +
                      ": where layers were frozen or thawed since compile(), compile the model again before it is "
                      "saved, or leave the optimizer out (LoadOptions::optimizer = false)");
  for (std::size_t i = 0; i < keras.variables.size(); ++i) keras.variables[i].name = names[i];
}

void order_by_place(KerasOptimizer& keras, const KerasBindings& bound) {
  const Json::Object& config = keras.config.at("config").as_object();
  const auto slots = slots_of(keras.config.at("class_name").as_string(), config);
  if (!slots) return;
  std::map<std::string_view, const NamedTensor*> by_name;
  for (const NamedTensor& variable : keras.variables) by_name.emplace(variable.name, &variable);
  std::vector<NamedTensor> ordered;
  for (const std::string& name : names_in_order(*slots, config, bound)) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) return;
    ordered.push_back(*found->second);
  }
  keras.variables = std::move(ordered);
}

}  // namespace h5bridge
