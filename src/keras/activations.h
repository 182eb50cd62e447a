// In Keras an activation may be a layer object: Conv2D(4, 3, activation=LeakyReLU(0.2)).
#pragma once

#include <map>
#include <string>

#include "h5bridge/json.h"

namespace h5bridge {

/// An activation that became a layer of its own.
struct ActivationApart {
  std::string host;  // the layer whose activation it is
  std::string name;  // its name there, which several may share
};

struct ActivationsApart {
  Json model;                                          // the same network, with such activations behind their layers
  std::map<std::string, ActivationApart> activations;  // by the names of the layers that they became
};

ActivationsApart with_activations_apart(Json model_config);

}  // namespace h5bridge
