// Optimizers between PyTorch and Keras, with their state.
#pragma once

#include <string>
#include <vector>

#include "facets/keras/keras_plan.h"
#include "h5bridge/model.h"

namespace h5bridge {

/// What a Keras file holds of an optimizer.
struct KerasOptimizer {
  Json config;                         // {"class_name": "Adam", "config": {...}}
  std::vector<NamedTensor> variables;  // "adam/iteration", "adam/learning_rate", "adam/dense_kernel_momentum", ...
  bool in_plan_order = true;           // whether the file lists layers as the model does: variables may go by place
};

/// `notes` gets the settings that Keras's optimizer has no place for, a line each. Throws Unsupported, naming the
/// setting, where its state would mean something else.
KerasOptimizer optimizer_to_keras(const Optimizer& optimizer, const KerasBindings& bound, const Weights& weights,
                                  std::vector<std::string>& notes);

/// Never fails for an optimizer without a mapping: it is kept as Keras has it. Throws MalformedFile if variables do not
/// fit, Unsupported if they cannot be told apart.
Optimizer optimizer_from_keras(const KerasOptimizer& keras, const KerasBindings& bound, const Weights& weights);

/// Names the variables of one that has them by number, as Keras 3's own formats do, in Keras's order. Those of an
/// optimizer without a mapping keep their numbers, where its slots are not known. Throws Unsupported where there are
/// more or less than the trained weights of `bound` need.
void name_by_place(KerasOptimizer& keras, const KerasBindings& bound);

/// The way back: leaves the variables that Keras counts, in its order. Those of an optimizer without a mapping stay as
/// they are, as do those that have other names.
void order_by_place(KerasOptimizer& keras, const KerasBindings& bound);

/// What Keras's file held of an optimizer that was read from it.
KerasOptimizer as_keras_had_it(const Optimizer& optimizer);

/// Whether the settings of such an optimizer are still those that were read.
bool has_settings_of(const KerasOptimizer& keras, const Optimizer& optimizer, const KerasBindings& bound,
                     const Weights& weights);

/// The slots that optimizer_to_keras rounds: their Keras variables' names, by parameter and slot
/// ("fc1.weight/momentum_buffer").
std::map<std::string, std::string> rounded_slots(const Optimizer& optimizer, const KerasBindings& bound);

}  // namespace h5bridge
