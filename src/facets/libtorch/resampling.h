// Resizing of images by a filter, as JAX and TensorFlow do it where PyTorch has no function of the same meaning.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include "facets/libtorch/layer.h"

namespace h5bridge {

/// The weight of an element of the input by its distance from where the output's element lies, in elements.
using ResamplingFilter = std::function<double(double)>;

/// Keys's cubic with a = -0.5. PyTorch's own, upsample_bicubic2d, has a = -0.75.
/// Source: jax/_src/image/scale.py, _fill_keys_cubic_kernel.
inline double keys_cubic(double distance) {
  if (distance >= 2) return 0;
  return distance >= 1 ? ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
                       : (1.5 * distance - 2.5) * distance * distance + 1;
}

/// What each element of the output takes of each of the input's along one axis, (output, input): elements outside do
/// not count, and the weights of the others add up to 1.
/// Source: jax/_src/image/scale.py, compute_weight_mat.
inline torch::Tensor resampling_weights(const ResamplingFilter& filter, std::int64_t input, std::int64_t output,
                                        bool antialias) {
  const double step = static_cast<double>(input) / static_cast<double>(output);
  const double widening = antialias ? std::max(step, 1.0) : 1.0;
  std::vector<double> weights;
  for (std::int64_t o = 0; o < output; ++o) {
    const double place = (static_cast<double>(o) + 0.5) * step - 0.5;
    for (std::int64_t i = 0; i < input; ++i)
      weights.push_back(filter(std::abs(place - static_cast<double>(i)) / widening));
  }
  const torch::Tensor all = torch::tensor(weights, torch::kFloat64).view({output, input});
  return all / all.sum(1, true);
}

/// Images (N, C, H, W) of another height and width. Where `antialias`, the filter widens as an axis shrinks.
inline torch::Tensor resampled(const torch::Tensor& images, const std::array<std::int64_t, 2>& size,
                               const ResamplingFilter& filter, bool antialias) {
  const auto weights = [&](std::int64_t axis) {
    return resampling_weights(filter, images.size(axis + 2), size[axis], antialias).to(images.options());
  };
  torch::Tensor result = images;
  if (images.size(2) != size[0]) result = torch::matmul(weights(0), result);
  if (images.size(3) != size[1]) result = torch::matmul(result, weights(1).t());
  return result;
}

}  // namespace h5bridge
