// The masks of multi-head attention as Keras's layer is given them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "facets/keras/composition.h"

namespace h5bridge::multihead_attention {

/// What a call has masks for.
struct MaskedSizes {
  Size batch, queries, keys;
};

/// Adds what the call is given by name; whether it is to make the causal mask besides. Throws Unsupported for masks
/// that Keras's layer does not take: numbers to add to scores, and a mask of queries that is not their own.
bool add_masks(const Attributes& attributes, std::int64_t heads, const MaskedSizes& sizes, Composition& operations,
               std::vector<std::pair<std::string, KerasEmitter::Argument>>& keywords);

}  // namespace h5bridge::multihead_attention
