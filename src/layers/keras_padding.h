// Margins as Keras layers and operations, for the layers whose own padding cannot say them.
#pragma once

#include <vector>

#include "layers/keras_mapping.h"
#include "layers/window.h"

namespace h5bridge {

bool any_margin(const std::vector<Margins>& margins);

/// A ZeroPad1d, 2d or 3d before the layer, named after it.
KerasEmitter::Handle emit_zero_padding(const std::vector<Margins>& margins, const Attributes& attributes, KerasEmitter& emitter,
                                       KerasEmitter::Handle input);

/// keras.ops.pad with a constant before the layer. Keras has no layer for other constants than zero.
KerasEmitter::Handle emit_constant_padding(const std::vector<Margins>& margins, double value, const Attributes& attributes,
                                           KerasEmitter& emitter, KerasEmitter::Handle input);
}  // namespace h5bridge
