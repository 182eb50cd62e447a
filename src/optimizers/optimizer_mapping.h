// Optimizers between PyTorch and Keras, as data that is read both ways: hyperparameters and slots.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "facets/keras/mapping.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// A tensor that an optimizer keeps for every parameter.
struct SlotMapping {
  std::string torch;       // "exp_avg"
  std::string keras;       // "momentum"
  std::string needs = {};  // the hyperparameter without which neither framework has the slot; empty: always there
  double times_lr = 0;     // where not 0, keras = times_lr * lr * torch: Keras keeps steps, PyTorch what lr multiplies
  std::size_t round = 0;   // Keras makes the slots of one round variable by variable, and one round after the other
  std::string initial = {};  // the hyperparameter that it starts at; empty: zeros
};

/// What PyTorch's weight_decay does. Keras's shrinks the weights themselves, whatever the optimizer.
enum class WeightDecay {
  Decoupled,        // the same
  InGradient,       // it is added to the gradient, and goes through moments or denominators
  InPlainGradient,  // likewise, which is the same while there is no momentum
};

/// How epsilon enters a step, where the frameworks differ.
struct EpsilonMeaning {
  std::string torch;
  std::string keras;
  double negligible = 0;  // up to here, steps are the same but for rounding
};

/// What tells one optimizer of torch.optim from the others by its state_dict, of any version of PyTorch.
struct TorchKeys {
  std::vector<std::string> has;           // settings that it has
  std::vector<std::string> has_not = {};  // and those that it has not
  std::string slot = {};                  // of its state, where settings do not tell
  Json::Object states = {};               // booleans that, where they are stated, are these
};

struct OptimizerMapping {
  std::string kind;  // in torch.optim
  TorchKeys told_by;
  std::string class_name;  // in keras.optimizers
  std::string name;        // which Keras gives to the first of that class
  std::vector<Correspondence> hyperparameters;
  std::vector<SlotMapping> slots;
  WeightDecay weight_decay = WeightDecay::InGradient;
  EpsilonMeaning epsilon = {};
  Json::Object torch_defaults;     // all of PyTorch's hyperparameters, in its order
  std::string decoupled = {};      // the kind that does what Keras's class does with a weight_decay
  bool counts_steps = true;        // in PyTorch's state
  bool starts_with_state = false;  // PyTorch makes the state when it makes the optimizer, not with the first gradient
};

const std::vector<OptimizerMapping>& optimizer_mappings();

/// nullptr if the kind has no mapping.
const OptimizerMapping* optimizer_mapping(std::string_view kind);

/// The mapping that does what Keras's class does with this configuration; nullptr if there is none.
const OptimizerMapping* optimizer_mapping_of_keras(std::string_view class_name, const Json::Object& config);

/// Whether a hyperparameter is there and is neither 0 nor false nor None.
bool is_on(const Json::Object& settings, std::string_view hyperparameter);

/// Whether PyTorch's weight_decay is Keras's, with these hyperparameters of PyTorch's.
bool decays_like_keras(const OptimizerMapping& mapping, const Json::Object& settings);

std::vector<SlotMapping> slots_in_use(const OptimizerMapping& mapping, const Json::Object& settings);

}  // namespace h5bridge
