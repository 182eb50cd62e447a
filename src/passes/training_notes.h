// In what a training run that goes on in the other framework does not go on alike.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/model.h"

namespace h5bridge {

/// A line for each setting of a layer that a step of training follows otherwise there, unless `trainable` (by the
/// state_dict's names) has all of the layer's parameters as frozen.
std::vector<std::string> unlike_in_training(const Architecture& architecture,
                                            const std::map<std::string, bool>& trainable);

/// What Keras's training adds to the loss for a layer, and does to its weights after a step: its regularizers and
/// constraints, by their keys in its configuration ("kernel_regularizer"; "layer/cell/bias_constraint" in a wrapper).
std::map<std::string, Json> regularisation_of(const Layer& layer);

/// Whether two of their values are one, however the versions of Keras spell it.
bool is_same_regularisation(const Json& a, const Json& b);

/// A line that names all of it, with the layers that have it; none where there is none. Weights that are frozen by
/// `trainable` have none.
std::optional<std::string> regularisation_left_out(const Architecture& architecture,
                                                   const std::map<std::string, bool>& trainable);

/// Both, and a line for each layer that does nothing else, of a model that Keras trained and PyTorch trains on; none of
/// any other.
std::vector<std::string> unlike_run_of_keras(const Model& model);

}  // namespace h5bridge
