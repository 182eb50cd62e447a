#include "model/numbers.h"

namespace h5bridge {

Tensor with_real_elements(const Tensor& tensor) {
  if (tensor.dtype() != DType::Complex64 && tensor.dtype() != DType::Complex128) return tensor;
  Shape shape = tensor.shape();
  shape.push_back(2);
  return Tensor(tensor.dtype() == DType::Complex64 ? DType::Float32 : DType::Float64, std::move(shape),
                bytes_in_memory(tensor.read()));
}

std::vector<double> as_doubles(const Tensor& given) {
  const Tensor tensor = with_real_elements(given);
  if (is_floating_point(tensor.dtype())) return cast(tensor, DType::Float64).values<double>();
  if (tensor.dtype() == DType::UInt64) {
    const auto values = tensor.values<std::uint64_t>();
    return {values.begin(), values.end()};
  }
  if (tensor.dtype() == DType::Bool) {
    const auto values = tensor.values<std::uint8_t>();
    return {values.begin(), values.end()};
  }
  const auto values = cast(tensor, DType::Int64).values<std::int64_t>();
  return {values.begin(), values.end()};
}

Tensor floats_of(const Tensor& tensor, DType dtype) {
  return cast(tensor_of(DType::Float64, tensor.shape(), as_doubles(tensor)), dtype);
}

}  // namespace h5bridge
