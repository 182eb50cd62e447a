#include "optimizers/torch_kind.h"

#include <algorithm>

#include "optimizers/optimizer_mapping.h"

namespace h5bridge {
namespace {

struct Kind {
  std::string name;
  TorchKeys keys;
};

// Those that only PyTorch has, or that Keras computes otherwise.
const std::vector<Kind>& torchs_own_kinds() {
  static const std::vector<Kind> table = {
      {"NAdam", {.has = {"betas", "momentum_decay"}}},
      {"RAdam",
       {.has = {"betas", "eps", "weight_decay", "decoupled_weight_decay"}, .has_not = {"amsgrad", "momentum_decay"}}},
      {"SparseAdam", {.has = {"betas", "eps"}, .has_not = {"weight_decay"}}},
      {"ASGD", {.has = {"lambd", "alpha", "t0"}}},
      {"Rprop", {.has = {"etas", "step_sizes"}}},
      {"Adafactor", {.has = {"beta2_decay", "d"}}},
      {"Muon", {.has = {"ns_coefficients", "ns_steps"}}},
  };
  return table;
}

bool has_slot(const Optimizer& optimizer, std::string_view name) {
  return std::ranges::any_of(optimizer.slots, [&](const auto& slots) {
    return std::ranges::any_of(slots.second, [&](const NamedTensor& slot) { return slot.name == name; });
  });
}

bool fits(const TorchKeys& keys, const Optimizer& optimizer) {
  const Json::Object& settings = optimizer.hyperparameters;
  const auto is_set = [&](const std::string& name) { return settings.contains(name); };
  const auto is_other = [&](const auto& stated) {
    const Json* value = settings.find(stated.first);
    return value && value->is_bool() && *value != stated.second;
  };
  return std::ranges::all_of(keys.has, is_set) && std::ranges::none_of(keys.has_not, is_set) &&
         std::none_of(keys.states.begin(), keys.states.end(), is_other) &&
         (keys.slot.empty() || has_slot(optimizer, keys.slot));
}

}  // namespace

std::string told_by_keys(const Optimizer& optimizer) {
  std::vector<std::string> kinds;
  for (const OptimizerMapping& mapping : optimizer_mappings())
    if (fits(mapping.told_by, optimizer)) kinds.push_back(mapping.kind);
  for (const Kind& kind : torchs_own_kinds())
    if (fits(kind.keys, optimizer)) kinds.push_back(kind.name);
  // Adam before PyTorch 2.6 says no more than AdamW, which is the same thing only without weight decay.
  const Json* decay = optimizer.hyperparameters.find("weight_decay");
  const bool decays_nothing = decay && decay->is_number() && decay->as_float() == 0.0;
  return kinds.size() == 1 || (!kinds.empty() && decays_nothing) ? kinds[0] : "unknown";
}

}  // namespace h5bridge
