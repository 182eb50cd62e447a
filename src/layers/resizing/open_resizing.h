// Interpolation along axes whose sizes are open: where the elements lie is computed when the model runs.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/keras/open_sizes.h"

namespace h5bridge::resizing {

/// One axis of `x` resized to `output` as the attributes say. `scale`: the one that they state, if that places the
/// elements. Throws Unsupported for Lanczos's filter.
KerasEmitter::Handle emit_open_axis(const Attributes& attributes, KerasEmitter& emitter, OpenSizes& sizes,
                                    KerasEmitter::Handle x, std::int64_t axis, const Size& output,
                                    std::optional<double> scale, const std::string& suffix);

}  // namespace h5bridge::resizing
