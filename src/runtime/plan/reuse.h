// Memory that may be written to.
#pragma once

#include <torch/torch.h>

namespace h5bridge::plan {

/// Whether this tensor is all that is left of its memory, and each element has its own: what holds neither for an
/// input, which its caller has, nor for a weight, nor for a value with a view of it.
inline bool is_free(const torch::Tensor& tensor) {
  return tensor.use_count() == 1 && tensor.storage().use_count() == 1 && tensor.is_non_overlapping_and_dense();
}

}  // namespace h5bridge::plan
