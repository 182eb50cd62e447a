// The order in which the axes of a view lie in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "h5bridge/tensor.h"

namespace h5bridge {

/// The axes of a tensor of this shape and these strides, the outermost in memory first: permuted so, it is contiguous.
/// None where its elements do not fill their memory, each by itself: it is a part of something, or stretched.
std::optional<std::vector<std::int64_t>> memory_order(const Shape& shape, const std::vector<std::int64_t>& strides);

/// What takes axes back that were permuted by `axes`.
std::vector<std::int64_t> inverse_order(const std::vector<std::int64_t>& axes);

}  // namespace h5bridge
