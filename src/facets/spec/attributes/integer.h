#pragma once

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

AttributeSpec required_integer(std::string name, std::string meaning);
AttributeSpec integer(std::string name, std::int64_t fallback, std::string meaning);

}  // namespace h5bridge
