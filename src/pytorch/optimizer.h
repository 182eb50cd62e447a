// Optimizers' state_dicts, {"state": {0: {...}}, "param_groups": [{...}]}.
#pragma once

#include <optional>
#include <string_view>

#include "pytorch/file.h"

namespace h5bridge {

/// Whether a pickled value has the form of an optimizer's state_dict.
bool is_optimizer_state(const pickle::Value& value);

/// The optimizer whose state_dict `value` is. Its kind is told by its hyperparameters, "unknown" where they fit none or
/// several. A Python number as a slot becomes a 0-d float32 tensor, as torch itself takes it. nullopt where a slot is
/// no tensor or number (LBFGS keeps lists).
std::optional<Optimizer> read_optimizer(const TorchFile& file, const pickle::Value& value);

/// How Optimizer::slots calls an element of a group's "params": by its name, or by its number where the file names
/// none.
std::string parameter_key(const Json& parameter);

/// Whether torch.optim's slot of that name is as large as its parameter, be it a scalar.
bool is_whole_slot(std::string_view name);

/// The shape that a parameter has as its slots tell; nullopt where it has none that do. Throws Unsupported where they
/// contradict each other.
std::optional<Shape> state_shape(const Optimizer& optimizer, const Json& parameter);

/// Whether its parameters may be among the tensors of a state_dict: by its names, or else by the shapes of their state,
/// which come in the state_dict's order where there is but one group.
bool fits_state_dict(const Optimizer& optimizer, const Weights& state_dict);

/// Calls the parameters of all groups, first to last, by `names`, of which there are as many.
void name_optimizer_parameters(Optimizer& optimizer, const std::vector<std::string>& names);

}  // namespace h5bridge
