// In Keras an activation may be a layer object: Conv2D(4, 3, activation=LeakyReLU(0.2)).
#pragma once

#include "h5bridge/json.h"

namespace h5bridge {

/// What marks, among what Keras says of a layer, the name of the one whose activation it is.
inline constexpr const char* kFusedInto = "fused_into";

/// What keeps the name that the activation has there; several may share one.
inline constexpr const char* kFusedAs = "fused_as";

/// The configuration of a model with such activations as layers of their own, behind those that they belong to. Their
/// entries have the members kFusedInto and kFusedAs.
Json with_activations_apart(Json model_config);

}  // namespace h5bridge
