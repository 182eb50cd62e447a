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

/// A stated scale places no elements along an axis that keeps its size or, for some, doubles it: PyTorch copies or
/// repeats them, as the ratio of the sizes has it. Nearest neighbours of images do so where the output's sizes are at
/// most 128 together (contiguous images on a CPU). Source: torch/aten/src/ATen/native/UpSample.h,
/// cpu/UpSampleKernel.cpp.
struct Shortcuts {
  bool equal = false;
  bool doubled = false;
  std::optional<Size> few = {};  // the sum that has to be at most kFew
  static constexpr std::int64_t kFew = 128;
};
Shortcuts shortcuts_of(const Attributes& attributes, const SymbolicShape& output);

/// Output o is the sum over t of weights[o * count + t] times the input's element indices[o * count + t].
struct Taps {
  std::size_t count = 0;  // for each output
  std::vector<std::int64_t> indices = {};
  std::vector<double> weights = {};
  bool is_identity(std::int64_t size) const;
};

/// Of axis `i`, whose sizes are known. Sources: as for Shortcuts.
Taps taps_of(const Attributes& attributes, const SymbolicShape& input, const SymbolicShape& output, std::size_t i);

bool is_antialiased(const Attributes& attributes);
/// Whether corners are aligned: None is false.
bool aligns_corners(const Attributes& attributes);

}  // namespace h5bridge::resizing
