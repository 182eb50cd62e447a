// Which of Keras's variables PyTorch's weight_decay shrinks.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "facets/keras/keras_plan.h"
#include "h5bridge/model.h"

namespace h5bridge {

/// The variables that PyTorch does not decay, and the names of those that it does.
struct DecayedVariables {
  std::vector<std::string> spared_paths;
  std::set<std::string> spared_names, decayed_names;
};

/// `decays`: the weight_decay of each parameter that is in a group. Throws Unsupported, naming the variable, where one
/// is made of some that decay and of others that do not.
DecayedVariables decayed_variables(const std::map<std::string, double>& decays, const KerasBindings& bound,
                                   const Weights& weights);

}  // namespace h5bridge
