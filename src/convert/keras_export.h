// Our model as a Keras file.
#pragma once

#include "convert/save.h"
#include "facets/keras/keras_plan.h"
#include "files/keras_h5.h"
#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// By what a file of Keras's lists variables: by layers in a .h5, by objects in Keras 3's own formats.
enum class KerasForm { Layers, Objects };

/// What to write for a model. `notes` gets what Keras has no place for. Throws UsageError if it lacks architecture or
/// weights, Unsupported for what Keras cannot say.
KerasFile keras_from_model(const Model& model, KerasForm form, const SaveOptions& options, Notes& notes);

/// The plan by which that is written.
KerasPlan keras_plan_of(const Model& model, const SaveOptions& options);

}  // namespace h5bridge
