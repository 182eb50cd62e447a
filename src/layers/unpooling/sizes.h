// What the facets of this family share.
#pragma once

#include "facets/spec/window.h"

namespace h5bridge::unpooling {

/// The spatial sizes of the output for an input with these. Throws MalformedFile where "output_size" does not fit them.
SymbolicShape output_sizes(const Attributes& attributes, const SymbolicShape& spatial);

}  // namespace h5bridge::unpooling
