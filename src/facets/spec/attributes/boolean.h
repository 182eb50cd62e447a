#pragma once

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

AttributeSpec boolean(std::string name, bool fallback, std::string meaning);

}  // namespace h5bridge
