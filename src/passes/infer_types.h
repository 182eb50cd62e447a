// The shapes and element types of all values of a graph.
#pragma once

#include "h5bridge/model.h"
#include "model/tensor_type.h"
#include "passes/float_types.h"
#include "passes/value_table.h"

namespace h5bridge {

using Types = ValueTable<TensorType>;

/// Throws MalformedFile naming the layer whose input does not fit. `floats`: what the model's floating-point tensors
/// have, where it is not what their layers declare. If that is one type, the model computes in it, whatever its inputs
/// come in.
Types infer_types(const Architecture& architecture, const FloatTypes& floats = {});

}  // namespace h5bridge
