// Copying elements in memory from one order of axes to another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace h5bridge {

/// An axis of elements that are read with one stride and written with another, in elements.
struct Axis {
  std::int64_t extent;
  std::int64_t from_stride;
  std::int64_t to_stride;
};

/// Copies the elements of `axes`, of `element_size` bytes (1, 2, 4, 8 or 16) each. Nothing needs to be aligned.
void strided_copy(std::span<const Axis> axes, std::size_t element_size, const std::byte* from, std::byte* to);

}  // namespace h5bridge
