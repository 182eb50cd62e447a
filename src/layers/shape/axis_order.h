// What the facets of this family share.
#pragma once

#include <string>
#include <vector>

#include "facets/spec/layer_type.h"

namespace h5bridge::shape {

/// The input's axis for each of the output's, of a layer of `type` (permute, transpose, movedim). Throws MalformedFile
/// where the attributes do not fit the rank.
std::vector<std::int64_t> order_of(const std::string& type, const Attributes& attributes, std::int64_t rank);

/// The axes that a squeeze drops: of those that it names, those whose size is 1; an open size is taken to be another.
std::vector<std::int64_t> squeezed_axes(const Attributes& attributes, const SymbolicShape& input);

}  // namespace h5bridge::shape
