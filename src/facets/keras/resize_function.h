// keras.ops.image.resize, which takes what the layer Resizing has as settings.
#pragma once

#include "facets/keras/mapping.h"

namespace h5bridge {

/// `layer`, a row of Resizing, as one of the operation, which is only read. Its `lower` has to write "size" in place of
/// "height" and "width".
KerasMapping as_resize_function(KerasMapping layer);

}  // namespace h5bridge
