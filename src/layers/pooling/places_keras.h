// The places of maxima, of which Keras's poolings say nothing.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/spec/window.h"

namespace h5bridge::pooling {

/// Those in windows that slide over the layer's input with these margins around it: of equal elements the first one's.
KerasEmitter::Handle emit_places(const Attributes& attributes, KerasEmitter& emitter,
                                 const std::vector<Margins>& margins);

/// Those of an adaptive pooling. Throws Unsupported for open sizes, unless a pooling takes all elements of an axis, or
/// each.
KerasEmitter::Handle emit_adaptive_places(const Attributes& attributes, KerasEmitter& emitter);

}  // namespace h5bridge::pooling
