// A small number that is added to what is divided by.
#pragma once

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

/// Finite, and not negative.
AttributeSpec epsilon(std::string name, double fallback, std::string meaning);

}  // namespace h5bridge
