// Padding "same" as Theano had it: half of the kernel before the image, whatever the strides. Keras 3 pads by what is
// needed, the larger half behind (keras 2.3.1, backend/theano_backend.py, conv2d and pool2d).
#pragma once

#include "h5bridge/json.h"

namespace h5bridge {

/// The layers of a model in the form of Keras 3, with Theano's padding put before the convolutions for which it
/// differs. Throws Unsupported naming the layers that cannot be mended so: poolings, transposed convolutions.
void mend_theano_padding(Json::Array& layers);

}  // namespace h5bridge
