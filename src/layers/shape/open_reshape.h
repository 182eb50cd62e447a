// Reshapes with several open sizes, which Keras's own cannot have.
#pragma once

#include "facets/keras/mapping.h"

namespace h5bridge::shape {

/// The emitter's input with the shape of its output. Throws Unsupported where nothing tells an open size.
KerasEmitter::Handle emit_open_reshape(KerasEmitter& emitter);

}  // namespace h5bridge::shape
