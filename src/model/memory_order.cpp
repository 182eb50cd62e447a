#include "model/memory_order.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace h5bridge {

std::optional<std::vector<std::int64_t>> memory_order(const Shape& shape, const std::vector<std::int64_t>& strides) {
  std::vector<std::int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  const auto stride_of = [&](std::int64_t axis) { return strides[static_cast<std::size_t>(axis)]; };
  std::ranges::stable_sort(axes, std::ranges::greater(), stride_of);
  std::int64_t expected = 1;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    const std::int64_t extent = shape[static_cast<std::size_t>(*axis)];
    if (extent != 1 && stride_of(*axis) != expected) return std::nullopt;
    expected *= extent;
  }
  return axes;
}

std::vector<std::int64_t> inverse_order(const std::vector<std::int64_t>& axes) {
  std::vector<std::int64_t> result(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i)
    result[static_cast<std::size_t>(axes[i])] = static_cast<std::int64_t>(i);
  return result;
}

}  // namespace h5bridge
