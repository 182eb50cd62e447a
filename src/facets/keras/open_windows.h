// Where along an axis of open size the elements of another one lie, as tensors of a Keras model: what interpolation and
// adaptive pooling are made of.
#pragma once

#include "facets/keras/open_sizes.h"

namespace h5bridge {

/// For each element of an axis the range of the input's that adaptive pooling takes.
struct OpenWindows {
  KerasEmitter::Handle starts;
  KerasEmitter::Handle ends;
};
OpenWindows adaptive_windows(OpenSizes& sizes, const Size& input, const Size& output);

/// For each element of the output (axis 0) and each of the input (axis 1), whether it is in the window.
KerasEmitter::Handle membership(OpenSizes& sizes, const OpenWindows& windows, const Size& input);

/// The means over the windows, along one axis of `x`.
KerasEmitter::Handle window_means(KerasEmitter& emitter, OpenSizes& sizes, KerasEmitter::Handle x, std::int64_t axis,
                                  const Size& output, const std::string& suffix);
/// The largest elements in the windows.
KerasEmitter::Handle window_maxima(KerasEmitter& emitter, OpenSizes& sizes, KerasEmitter::Handle x, std::int64_t axis,
                                   const Size& output, const std::string& suffix);

/// Sums of the elements along one axis of `x`, each times its weight: `weights` has a row for each element of the
/// output.
KerasEmitter::Handle weighted_sums(KerasEmitter& emitter, KerasEmitter::Handle x, std::int64_t axis,
                                   KerasEmitter::Handle weights, const std::string& suffix);

}  // namespace h5bridge
