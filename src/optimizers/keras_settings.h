// An optimizer's settings between PyTorch's param_groups and Keras's configuration, and what of them either has no
// place for. Keras's own configuration travels in a member "keras" of the first group, which PyTorch keeps as it is:
//   {"class_name": "Adam", "config": {...}, "iteration": 8, "learning_rate": 0.05, "compile": {...}}
// iteration and learning_rate are what PyTorch went on from; compile is there where Keras's training_config was, and
// loss_scale where a LossScaleOptimizer was round the optimizer (keras_loss_scale.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "h5bridge/model.h"
#include "optimizers/optimizer_mapping.h"

namespace h5bridge {

struct KerasBindings;

inline constexpr const char* kKerasMember = "keras";
inline constexpr const char* kCompileMember = "compile";
inline constexpr const char* kLossScaleMember = "loss_scale";

/// Keras's configuration as it travels with the optimizer; nullptr if it does not.
const Json::Object* travelling_keras(const Optimizer& optimizer);

/// PyTorch's hyperparameters for a configuration of Keras's, without a learning rate where that is a schedule.
Json::Object settings_from_keras(const OptimizerMapping& mapping, const Json::Object& config);

struct KerasSettings {
  std::string class_name;
  Json::Object config;
  bool own = false;                // the configuration is Keras's own, or what PyTorch changed of it
  std::int64_t iteration = 0;      // where that stood
  std::int64_t accumulations = 1;  // gradients that it sums up for a step
};

/// What to tell Keras of an optimizer of PyTorch's. Settings that PyTorch has not changed since Keras had them stay.
KerasSettings settings_to_keras(const OptimizerMapping& mapping, const Optimizer& optimizer);

/// Why Keras has nothing like an optimizer of PyTorch's, whatever its parameters are; empty: it has.
std::string why_not_in_keras(const Optimizer& optimizer);

/// The settings that Keras has no place for, a line each. Throws Unsupported where groups differ in what Keras's state
/// depends on.
std::vector<std::string> left_out_by_keras(const OptimizerMapping& mapping, const Optimizer& optimizer,
                                           const KerasSettings& settings, const KerasBindings& bound,
                                           const Weights& weights);

/// Of an optimizer that came from Keras: the settings that PyTorch has no place for, a line each.
std::vector<std::string> left_out_by_torch(const Optimizer& optimizer);

/// The settings of PyTorch's optimizer of this kind that Keras's has nothing like: "dampening", "maximize".
std::vector<std::string> settings_without_keras(const Optimizer& optimizer);

/// Of an optimizer that came from Keras and has no groups, as PyTorch has nothing like it: what it is that has no
/// counterpart.
std::string why_not_in_torch(const Optimizer& optimizer);

/// The members of Keras's configuration that say what one step is the sum of.
std::int64_t accumulations_of(const Json::Object& config);
/// How many gradients have gone into that sum since the last step, where `iteration` of them were computed.
std::int64_t summed_since_step(const Json::Object& config, std::int64_t iteration);
/// "batch", "2 batches": for messages.
std::string batches(std::int64_t count);

}  // namespace h5bridge
