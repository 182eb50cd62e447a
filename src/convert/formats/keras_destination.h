// What the formats of Keras's have in common when they are written.
#pragma once

#include "convert/keras_export.h"

namespace h5bridge {

/// What to write for a model, in the form of Keras 2 if options.keras says so, with a note for what it has no place
/// for. Throws as keras_from_model does, and Unsupported where PyTorch's optimizer would be lost.
KerasFile keras_destination(const Model& model, KerasForm form, const SaveOptions& options, Notes& notes);

}  // namespace h5bridge
