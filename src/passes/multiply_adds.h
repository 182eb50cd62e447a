// How much a network computes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// By the name of each call: how many products with the elements of its layer's matrices and kernels it adds up for one
/// example (the batch being 1; where its size is fixed, for that). 0 where there are none to multiply with; nullopt
/// where sizes are open, or the layer multiplies in a way that its settings do not tell. What has no weights (a product
/// of two values, attention's scores), and weights along one axis (a bias, a norm's scale), are not counted. Throws as
/// infer_types does.
std::map<std::string, std::optional<std::int64_t>> multiply_adds(const Architecture& architecture);

}  // namespace h5bridge
