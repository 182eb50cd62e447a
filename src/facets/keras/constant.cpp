#include "facets/keras/constant.h"

#include "model/numbers.h"

namespace h5bridge::keras_ops {
namespace {

// Nested lists of `values` in C order.
template <typename T>
Json nested(const std::vector<std::int64_t>& shape, std::size_t axis, typename std::vector<T>::const_iterator& next) {
  if (axis == shape.size()) return *next++;
  Json::Array result;
  for (std::int64_t i = 0; i < shape[axis]; ++i) result.push_back(nested<T>(shape, axis + 1, next));
  return result;
}

template <typename T>
Json array_of(const std::vector<std::int64_t>& shape, const std::vector<T>& values, std::string_view dtype) {
  auto next = values.begin();
  return Json::Object{{"class_name", "__numpy__"},
                      {"config", Json::Object{{"value", nested<T>(shape, 0, next)}, {"dtype", dtype}}}};
}

std::vector<std::int64_t> integers_of(const Tensor& tensor) {
  if (tensor.dtype() != DType::Bool) return cast(tensor, DType::Int64).values<std::int64_t>();
  const auto values = tensor.values<std::uint8_t>();
  return {values.begin(), values.end()};
}

}  // namespace

Json constant(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& values) {
  return array_of(shape, values, "int32");
}
Json constant(const std::vector<std::int64_t>& shape, const std::vector<double>& values) {
  return array_of(shape, values, "float32");
}

Json constant(const Tensor& elements) {
  const std::string_view dtype = name_of(elements.dtype());
  const Json array = is_floating_point(elements.dtype()) ? array_of(elements.shape(), as_doubles(elements), dtype)
                                                         : array_of(elements.shape(), integers_of(elements), dtype);
  return elements.rank() == 0 ? array.at("config").at("value") : array;
}

}  // namespace h5bridge::keras_ops
