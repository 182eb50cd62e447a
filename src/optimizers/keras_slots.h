// What both directions need of the slots of Keras's variables.
#pragma once

#include <algorithm>

#include "optimizers/keras_optimizer.h"
#include "optimizers/optimizer_mapping.h"

namespace h5bridge {

/// `tensor` times `factor`, of its own type; computed in float64 where it is of that, else in float32. Throws
/// Unsupported where it is of none with a floating point.
Tensor scaled(const Tensor& tensor, double factor);

/// The one number in a tensor, of whatever type: TensorFlow counts in int64, Keras's other backends in int32.
double number_in(const Tensor& tensor);

/// What a slot holds before the first step.
Tensor initial_slot(const SlotMapping& slot, const Json::Object& settings, const Shape& shape);

/// A variable's part of its optimizer variables' names: "dense/kernel" is "dense_kernel".
std::string flat_path(const KerasBinding& binding, const std::string& variable);

/// Calls visit(binding, slot) for each slot of each trainable binding, in Keras's order where each has one variable.
template <typename Visit>
void for_each_slot(const KerasBindings& bound, const std::vector<SlotMapping>& slots, Visit&& visit) {
  std::size_t last = 0;
  for (const SlotMapping& slot : slots) last = std::max(last, slot.round);
  for (std::size_t round = 0; round <= last; ++round)
    for (const KerasBinding& binding : bound.bindings)
      for (const SlotMapping& slot : slots)
        if (binding.is_trained() && slot.round == round) visit(binding, slot);
}

/// Calls visit(binding, variable, slot) for each slot of each trainable variable, in Keras's order.
template <typename Visit>
void for_each_variable_slot(const KerasBindings& bound, const std::vector<SlotMapping>& slots, Visit&& visit) {
  std::size_t last = 0;
  for (const SlotMapping& slot : slots) last = std::max(last, slot.round);
  for (std::size_t round = 0; round <= last; ++round)
    for (const KerasBinding& binding : bound.bindings)
      for (const std::string& variable : binding.variables)
        for (const SlotMapping& slot : slots)
          if (binding.is_trained() && slot.round == round) visit(binding, variable, slot);
}

}  // namespace h5bridge
