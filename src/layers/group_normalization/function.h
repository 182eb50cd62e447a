// The function group_norm.
#pragma once

#include "layers/functional.h"

namespace h5bridge::group_normalization {

Functional function();

}  // namespace h5bridge::group_normalization
