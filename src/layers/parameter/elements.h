// What a constant, or a buffer that is one in Keras, is made of.
#pragma once

#include "h5bridge/architecture.h"

namespace h5bridge::parameter {

/// The elements that "data" gives, as the tensor that "dtype" and "shape" describe. Throws MalformedFile where they are
/// not as many, or no such elements.
Tensor elements_of(const Attributes& attributes);

}  // namespace h5bridge::parameter
