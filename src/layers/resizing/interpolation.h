// How an interpolation is computed, one axis at a time: which elements of the input each output takes, and how much of
// them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge::resizing {

/// The sizes that come out, given those of the spatial axes; throws Unsupported where an open size times the scale is
/// none.
SymbolicShape resized(const Attributes& attributes, const SymbolicShape& spatial);

/// The scale of axis `i` as the attributes state it, if that is what places the elements; otherwise the sizes' ratio
/// does.
std::optional<double> stated_scale(const Attributes& attributes, std::size_t i);

/// Output o is the sum over t of weights[o * count + t] times the input's element indices[o * count + t].
struct Taps {
  std::size_t count = 0;  // for each output
  std::vector<std::int64_t> indices = {};
  std::vector<double> weights = {};
  bool is_identity(std::int64_t size) const;
};

/// For one axis. Sources: torch/aten/src/ATen/native/UpSample.h, cpu/UpSampleKernel.cpp.
Taps taps_of(const Attributes& attributes, std::int64_t input, std::int64_t output, std::optional<double> scale);

/// "nearest", "bilinear" and so on, and whether corners are aligned: None is false.
bool aligns_corners(const Attributes& attributes);

}  // namespace h5bridge::resizing
