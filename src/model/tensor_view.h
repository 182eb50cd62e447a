// Whether two tensors are the same view of the same bytes: tied weights, or a module that is registered twice.
#pragma once

#include <tuple>
#include <vector>

#include "h5bridge/tensor.h"

namespace h5bridge {

using TensorView = std::tuple<const ByteSource*, DType, std::int64_t, Shape, std::vector<std::int64_t>>;

inline TensorView view_of(const Tensor& tensor) {
  return {tensor.source().get(), tensor.dtype(), tensor.offset(), tensor.shape(), tensor.strides()};
}

}  // namespace h5bridge
