// Sizes, which may be open: a number, a symbol, or arithmetic on symbols.
#pragma once

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

/// Any number of sizes; one stands for a list of one.
AttributeSpec required_sizes(std::string name, std::string meaning);
/// One size, kept as a list of one.
AttributeSpec required_size(std::string name, std::string meaning);

}  // namespace h5bridge
