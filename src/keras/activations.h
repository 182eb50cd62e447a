// In Keras an activation may be a layer object: Conv2D(4, 3, activation=LeakyReLU(0.2)).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "keras/expand.h"

namespace h5bridge {

/// An activation that became a layer of its own.
struct ActivationApart {
  std::string host;  // the layer whose activation it is
  std::string name;  // its name there, which several may share
};

/// Puts such activations behind their layers, as layers of their own; `result` has them by their names. `inner`: the
/// calls of models within the model, whose tensors follow.
std::map<std::string, ActivationApart> take_activations_apart(KerasModel& model, std::vector<ExpandedCall>& inner);

}  // namespace h5bridge
