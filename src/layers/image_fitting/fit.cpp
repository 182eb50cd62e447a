#include "layers/image_fitting/fit.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace h5bridge::image_fitting {
namespace {

// The length that goes with another in the ratio of two more, rounded as Python's int(float(length * to) / from) does.
std::int64_t in_ratio(std::int64_t length, std::int64_t to, std::int64_t from) {
  return static_cast<std::int64_t>(static_cast<double>(length) * static_cast<double>(to) / static_cast<double>(from));
}

}  // namespace

Extents largest_part(const Extents& whole, const Extents& wanted) {
  const std::int64_t height = in_ratio(whole.width, wanted.height, wanted.width);
  const std::int64_t width = in_ratio(whole.height, wanted.width, wanted.height);
  return {std::max<std::int64_t>(std::min(whole.height, height), 1),
          std::max<std::int64_t>(std::min(whole.width, width), 1)};
}

Extents smallest_frame(const Extents& inner, const Extents& wanted) {
  return {std::max(inner.height, in_ratio(inner.width, wanted.height, wanted.width)),
          std::max(inner.width, in_ratio(inner.height, wanted.width, wanted.height))};
}

double lanczos(int radius, double distance) {
  const double angle = std::numbers::pi * distance;
  if (distance <= 1e-3) return 1;
  return distance > radius ? 0 : radius * std::sin(angle) * std::sin(angle / radius) / (angle * angle);
}

}  // namespace h5bridge::image_fitting
