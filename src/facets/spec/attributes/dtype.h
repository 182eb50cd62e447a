// An element type, by its name.
#pragma once

#include <vector>

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

/// "dtype", one of `choices`.
AttributeSpec dtype_attribute(DType fallback, const std::vector<DType>& choices, std::string meaning);

}  // namespace h5bridge
