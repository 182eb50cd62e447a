// What Keras calls the outputs of a model: the layers that make them.
#pragma once

#include "facets/keras/plan.h"
#include "h5bridge/architecture.h"

namespace h5bridge {

/// Fills in Output::keras_layer from the plan of the model.
void name_keras_outputs(Architecture& architecture, const KerasPlan& plan);

/// The same, as the Keras model of `architecture`, which may be in either layout, has them. Throws
/// Unsupported naming every layer that Keras cannot say.
void name_keras_outputs(Architecture& architecture);

}  // namespace h5bridge
