// What the facets of this family share: into which parts an axis is cut.
#pragma once

#include <string>
#include <vector>

#include "facets/spec/layer_type.h"

namespace h5bridge::joining {

/// Throws Unsupported for an open size.
std::int64_t known_extent(const Size& size);

/// The lengths of the parts that a layer of `type` (split, chunk, tensor_split) makes of an axis of that size. Throws
/// MalformedFile where the attributes do not fit it, Unsupported where an open size leaves it open how many parts there
/// are.
std::vector<Size> parts_of(const std::string& type, const Attributes& attributes, const Size& size);

}  // namespace h5bridge::joining
