// Numbers and arrays among a call's arguments, as Keras serialises them.
#pragma once

#include <cstdint>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge::keras_ops {

/// An array. `values` are in C order.
Json constant(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& values);
Json constant(const std::vector<std::int64_t>& shape, const std::vector<double>& values);
/// The same of a tensor; of one without axes, the number alone.
Json constant(const Tensor& elements);

}  // namespace h5bridge::keras_ops
