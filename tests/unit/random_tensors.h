// Tensors of random bytes: any pattern of bits, NaN among them, must survive.
#pragma once

#include <random>

#include "h5bridge/tensor.h"

namespace h5bridge::testing {

inline Tensor random_tensor(DType dtype, const Shape& shape) {
  static std::mt19937 engine(20240611);
  std::vector<std::byte> bytes(static_cast<std::size_t>(element_count(shape)) * size_of(dtype));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(engine() & 0xff);
  return Tensor(dtype, shape, bytes_in_memory(std::move(bytes)));
}

/// 0, 1, 2, ...: so that a test can say where each element must go.
inline Tensor counting_tensor(const Shape& shape) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(i);
  return tensor_of(DType::Int32, shape, values);
}

}  // namespace h5bridge::testing
