#pragma once

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

/// `length` numbers, or one that stands for them all; any number of them where `length` is 0.
AttributeSpec required_numbers(std::string name, std::size_t length, std::string meaning);

}  // namespace h5bridge
