// Convolutions of ATen, in both directions, as the modules whose parameters they take.
#pragma once

#include "facets/aten/row.h"

namespace h5bridge::convolution {

/// "Conv2d" or "ConvTranspose2d" of a call of conv2d or conv_transpose2d.
void as_module(aten::Call& call);

}  // namespace h5bridge::convolution
