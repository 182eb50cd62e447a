// The shapes and element types of all values of a graph.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/model.h"
#include "model/tensor_type.h"
#include "passes/of_values.h"

namespace h5bridge {

using Types = OfValues<TensorType>;

/// Throws MalformedFile naming the layer whose input does not fit. `floats`: what the model's floating-point tensors
/// have, where it is not what their layers declare; the model then computes in it, whatever its inputs come in.
Types infer_types(const Architecture& architecture, std::optional<DType> floats = {});

/// The element type of all floating-point tensors, if they have but one.
std::optional<DType> common_float(const Weights& weights);

}  // namespace h5bridge
