// What the facets of this family share.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge::merge {

/// The attribute that says how inputs of different ranks are aligned.
inline constexpr const char* kAlignedAtBatch = "aligned_at_batch";

/// How many of the attributes `names` are numbers, which stand in place of inputs.
std::size_t numbers_among(const Attributes& attributes, const std::vector<std::string>& names);

}  // namespace h5bridge::merge
