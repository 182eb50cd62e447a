// Functions of TensorFlow in a graph of tf.keras, which stand there as layers: tensorflow_operations.def.
#pragma once

#include "h5bridge/json.h"

namespace h5bridge {

/// Whether it is a TFOpLambda, a SlicingOpLambda or a TensorFlowOpLayer.
bool is_tensorflow_operation(const Json& entry);

/// The entry as Keras 3 writes the operation that computes the same. Throws Unsupported naming the function where Keras
/// 3 has none that h5bridge knows, or its arguments say what that one cannot.
Json operation_in_keras_3(const Json& entry);

}  // namespace h5bridge
