// What is known of a value before it is computed.
#pragma once

#include "h5bridge/dtype.h"
#include "h5bridge/size.h"

namespace h5bridge {

struct TensorType {
  DType dtype = DType::Float32;
  SymbolicShape shape;
  bool operator==(const TensorType&) const = default;
};

}  // namespace h5bridge
