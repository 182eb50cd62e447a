// Any text, or one of some words.
#pragma once

#include <vector>

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

AttributeSpec required_text(std::string name, std::string meaning);
/// One of `choices`; any text where there are none.
AttributeSpec text(std::string name, std::string fallback, std::vector<std::string> choices, std::string meaning);

/// The kind by itself, for kinds that take words besides.
AttributeKindPtr text_kind(std::vector<std::string> choices);

}  // namespace h5bridge
