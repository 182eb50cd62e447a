// Operations of Keras 3 as the layers that tf.keras makes of TensorFlow's functions.
#pragma once

#include "h5bridge/json.h"
#include "keras/to_keras_2/calls.h"

namespace h5bridge {

/// The first TensorFlow whose graphs hold functions as layers (TFOpLambda).
inline constexpr int kFunctionsSince = 20400;

/// Whether one of TensorFlow's functions is known for an operation with these settings.
bool has_function(const Json& entry);

/// An entry of Keras 3's `layers` that is an operation (keras/dialects/tensorflow_operations.def). Throws
/// Unsupported for one that none of TensorFlow's functions is known for.
Json operation_in_keras_2(const Json& entry, const InnerModels& inner);

}  // namespace h5bridge
