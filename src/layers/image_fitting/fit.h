// How Keras's layers fit an image into a size: which part of it counts, or what is added around it.
#pragma once

#include <cstdint>

namespace h5bridge::image_fitting {

struct Extents {
  std::int64_t height;
  std::int64_t width;
};

/// The largest part of an image of `whole` that has the aspect ratio of `wanted`; it is taken from the middle.
/// Source: keras/src/backend/torch/image.py, resize; keras/src/utils/image_utils.py, smart_resize.
Extents largest_part(const Extents& whole, const Extents& wanted);

/// The smallest extents around an image of `inner` that have the aspect ratio of `wanted`.
Extents smallest_frame(const Extents& inner, const Extents& wanted);

/// How much of an axis lies before what is in its middle, rounded towards zero.
inline std::int64_t before_middle(std::int64_t whole, std::int64_t part) { return (whole - part) / 2; }

/// The weight that an element `distance` away has in Lanczos's filter of this radius.
/// Source: jax/_src/image/scale.py, _fill_lanczos_kernel.
double lanczos(int radius, double distance);

}  // namespace h5bridge::image_fitting
