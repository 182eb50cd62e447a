// Interpolation along axes whose sizes are open: where the elements lie is computed when the model runs.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/keras/open_sizes.h"

namespace h5bridge::resizing {

/// One axis of `x` resized as the attributes say, to the size that spatial axis `i` has in the output. Throws
/// Unsupported for Lanczos's filter.
KerasEmitter::Handle emit_open_axis(const Attributes& attributes, KerasEmitter& emitter, OpenSizes& sizes,
                                    KerasEmitter::Handle x, std::int64_t axis, const SymbolicShape& output,
                                    std::size_t i, const std::string& suffix);

}  // namespace h5bridge::resizing
