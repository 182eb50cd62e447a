#include "optimizers/optimizer_mapping.h"

#include <algorithm>

namespace h5bridge {

namespace optimizers {
#define H5BRIDGE_OPTIMIZER(name)                  \
  namespace name {                                \
  std::vector<OptimizerMapping> keras_mappings(); \
  }
#define H5BRIDGE_LIBTORCH_OPTIMIZER(name)
#include "optimizers/optimizers.def"
#undef H5BRIDGE_LIBTORCH_OPTIMIZER
#undef H5BRIDGE_OPTIMIZER
}  // namespace optimizers

const std::vector<OptimizerMapping>& optimizer_mappings() {
  static const std::vector<OptimizerMapping> table = [] {
    std::vector<OptimizerMapping> result;
#define H5BRIDGE_OPTIMIZER(name) \
  for (OptimizerMapping & mapping : optimizers::name::keras_mappings()) result.push_back(std::move(mapping));
#define H5BRIDGE_LIBTORCH_OPTIMIZER(name)
#include "optimizers/optimizers.def"
#undef H5BRIDGE_LIBTORCH_OPTIMIZER
#undef H5BRIDGE_OPTIMIZER
    return result;
  }();
  return table;
}

const OptimizerMapping* optimizer_mapping(std::string_view kind) {
  const auto found = std::ranges::find(optimizer_mappings(), kind, &OptimizerMapping::kind);
  return found == optimizer_mappings().end() ? nullptr : &*found;
}

const OptimizerMapping* optimizer_mapping_of_keras(std::string_view class_name, const Json::Object& config) {
  const auto found = std::ranges::find(optimizer_mappings(), class_name, &OptimizerMapping::class_name);
  if (found == optimizer_mappings().end()) return nullptr;
  return is_on(config, "weight_decay") && !found->decoupled.empty() ? optimizer_mapping(found->decoupled) : &*found;
}

bool is_on(const Json::Object& settings, std::string_view hyperparameter) {
  const Json* value = settings.find(hyperparameter);
  if (!value) return false;
  return value->is_bool() ? value->as_bool() : value->is_number() && value->as_float() != 0;
}

bool decays_like_keras(const OptimizerMapping& mapping, const Json::Object& settings) {
  if (mapping.weight_decay == WeightDecay::InPlainGradient) return !is_on(settings, "momentum");
  return mapping.weight_decay == WeightDecay::Decoupled;
}

std::vector<SlotMapping> slots_in_use(const OptimizerMapping& mapping, const Json::Object& settings) {
  std::vector<SlotMapping> result;
  for (const SlotMapping& slot : mapping.slots)
    if (slot.needs.empty() || is_on(settings, slot.needs)) result.push_back(slot);
  return result;
}

}  // namespace h5bridge
