// Optimizers between PyTorch and Keras: hyperparameters and slots, as data that is read both ways.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/model.h"
#include "layers/keras_mapping.h"
#include "passes/keras_plan.h"

namespace h5bridge {

/// A tensor that an optimizer keeps for every parameter.
struct SlotMapping {
  std::string torch;            // "exp_avg"
  std::string keras;            // "momentum"
  std::string needs;            // the hyperparameter without which neither framework has the slot; empty: always there
  bool times_minus_lr = false;  // keras = -lr torch (SGD: Keras keeps a step, PyTorch a sum of gradients)
};

struct OptimizerMapping {
  std::string kind;        // in torch.optim
  std::string class_name;  // in keras.optimizers
  std::vector<Correspondence> hyperparameters;
  std::vector<SlotMapping> slots;
  Json::Object torch_defaults;  // all of PyTorch's hyperparameters; those that the rows do not name must have these
                                // values in Keras
};

/// nullptr if the kind has no mapping.
const OptimizerMapping* optimizer_mapping(const std::string& kind);

/// What a Keras file holds of an optimizer.
struct KerasOptimizer {
  Json config;                         // {"class_name": "Adam", "config": {...}}
  std::vector<NamedTensor> variables;  // "adam/iteration", "adam/learning_rate", "adam/dense_kernel_momentum", ...
  bool in_plan_order = true;           // whether the file lists layers as the plan does: variables may go by place
};

/// `notes` gets the settings that Keras's optimizer has no place for, a line each. Throws Unsupported, naming the
/// setting, where its state would mean something else.
KerasOptimizer optimizer_to_keras(const Optimizer& optimizer, const KerasPlan& plan, const Weights& weights,
                                  std::vector<std::string>& notes);

/// Never fails for an optimizer without a mapping: it is kept as Keras has it. Throws MalformedFile if variables do not
/// fit.
Optimizer optimizer_from_keras(const KerasOptimizer& keras, const KerasPlan& plan);

/// The slots that optimizer_to_keras rounds: their Keras variables' names, by parameter and slot
/// ("fc1.weight/momentum_buffer").
std::map<std::string, std::string> rounded_slots(const Optimizer& optimizer, const KerasPlan& plan);

}  // namespace h5bridge
