// Integers, or a word that tells them: "same".
#pragma once

#include <vector>

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

/// `length` integers or one of `words`; zeros by default.
AttributeSpec padding_attribute(std::size_t length, std::vector<std::string> words, std::string meaning);

}  // namespace h5bridge
