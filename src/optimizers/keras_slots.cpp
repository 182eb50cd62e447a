#include "optimizers/keras_slots.h"

#include "h5bridge/error.h"

namespace h5bridge {

namespace {

template <typename Number>
Tensor scaled_as(DType dtype, const Tensor& tensor, double factor) {
  std::vector<Number> values = cast(tensor, dtype).values<Number>();
  for (Number& value : values) value *= static_cast<Number>(factor);
  return cast(tensor_of(dtype, tensor.shape(), values), tensor.dtype());
}

}  // namespace

Tensor scaled(const Tensor& tensor, double factor) {
  if (!is_floating_point(tensor.dtype()))
    throw Unsupported("the optimizer's state is " + std::string(name_of(tensor.dtype())) +
                      ", expected numbers of a floating-point type");
  return tensor.dtype() == DType::Float64 ? scaled_as<double>(DType::Float64, tensor, factor)
                                          : scaled_as<float>(DType::Float32, tensor, factor);
}

double number_in(const Tensor& tensor) {
  if (tensor.dtype() == DType::Int32) return tensor.values<std::int32_t>()[0];
  if (tensor.dtype() == DType::Int64) return static_cast<double>(tensor.values<std::int64_t>()[0]);
  return cast(tensor, DType::Float64).values<double>()[0];
}

Tensor initial_slot(const SlotMapping& slot, const Json::Object& settings, const Shape& shape) {
  const Json* value = slot.initial.empty() ? nullptr : settings.find(slot.initial);
  if (!value || value->as_float() == 0) return zeros(DType::Float32, shape);
  const auto count = static_cast<std::size_t>(element_count(shape));
  return tensor_of(DType::Float32, shape, std::vector<float>(count, static_cast<float>(value->as_float())));
}

std::string flat_path(const KerasBinding& binding, const std::string& variable) {
  return keras_name(binding.slot_path + variable);
}

}  // namespace h5bridge
