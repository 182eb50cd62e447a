// The function group_norm.
#pragma once

#include "facets/spec/functional.h"

namespace h5bridge::group_normalization {

Functional function();

}  // namespace h5bridge::group_normalization
