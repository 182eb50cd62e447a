// What PyTorch has for floats alone.
#pragma once

#include "facets/torch_source/signature.h"

namespace h5bridge {

/// `source`, which only chooses among its input's elements: integers go through it as float64, which has all of those
/// of up to 32 bits.
TorchSource of_integers_too(TorchSource source);

}  // namespace h5bridge
