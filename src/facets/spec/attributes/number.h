#pragma once

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

AttributeSpec required_number(std::string name, std::string meaning);
AttributeSpec number(std::string name, double fallback, std::string meaning);

}  // namespace h5bridge
