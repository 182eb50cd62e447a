#include <map>
#include <set>
#include <string_view>

#include "h5bridge/error.h"
#include "optimizers/keras_settings.h"
#include "optimizers/keras_slots.h"

namespace h5bridge {
namespace {

// optimizers/base_optimizer.py, build(): what all optimizers have comes before the slots.
std::vector<std::string> names_in_order(const OptimizerMapping& mapping, const Json::Object& config,
                                        const KerasBindings& bound) {
  const std::string prefix = config.at("name").as_string() + "/";
  std::vector<std::string> names{prefix + "iteration"};
  std::set<std::string> known;
  if (!config.at("learning_rate").is_object()) names.push_back(prefix + "learning_rate");
  const auto add = [&](const std::vector<SlotMapping>& slots) {
    for_each_variable_slot(bound, slots,
                           [&](const KerasBinding& binding, const std::string& variable, const SlotMapping& slot) {
                             // Layers of one path were one when they were saved, and are trained once.
                             const std::string name = prefix + flat_path(binding, variable) + "_" + slot.keras;
                             if (known.insert(name).second) names.push_back(name);
                           });
  };
  if (is_on(config, "use_ema")) add({{"", "average"}});
  if (is_on(config, "gradient_accumulation_steps")) add({{"", "gradient_accumulator"}});
  add(slots_in_use(mapping, settings_from_keras(mapping, config)));
  return names;
}

}  // namespace

void name_by_place(KerasOptimizer& keras, const KerasBindings& bound) {
  const Json::Object& config = keras.config.at("config").as_object();
  const OptimizerMapping* mapping = optimizer_mapping_of_keras(keras.config.at("class_name").as_string(), config);
  if (!mapping || keras.variables.empty()) return;
  if (!keras.in_plan_order)
    throw Unsupported("its variables have no names, and the file's layers stand in another order");
  const std::vector<std::string> names = names_in_order(*mapping, config, bound);
  // One that never trained has none but its counters.
  const std::size_t counters = config.at("learning_rate").is_object() ? 1 : 2;
  if (keras.variables.size() != names.size() && keras.variables.size() != counters)
    throw Unsupported("it has " + std::to_string(keras.variables.size()) +
                      " variables, and those that are trained need " + std::to_string(names.size()));
  for (std::size_t i = 0; i < keras.variables.size(); ++i) keras.variables[i].name = names[i];
}

void order_by_place(KerasOptimizer& keras, const KerasBindings& bound) {
  const Json::Object& config = keras.config.at("config").as_object();
  const OptimizerMapping* mapping = optimizer_mapping_of_keras(keras.config.at("class_name").as_string(), config);
  if (!mapping) return;
  std::map<std::string_view, const NamedTensor*> by_name;
  for (const NamedTensor& variable : keras.variables) by_name.emplace(variable.name, &variable);
  std::vector<NamedTensor> ordered;
  for (const std::string& name : names_in_order(*mapping, config, bound)) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) return;
    ordered.push_back(*found->second);
  }
  keras.variables = std::move(ordered);
}

}  // namespace h5bridge
