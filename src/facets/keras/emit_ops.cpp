#include "facets/keras/emit_ops.h"

#include <algorithm>

#include "model/numbers.h"

namespace h5bridge::keras_ops {
namespace {

using Handle = KerasEmitter::Handle;

constexpr const char* kNumpy = "keras.src.ops.numpy";

Json or_null(const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(); }

Json slice_of(const Cut& cut) {
  const Json::Object range{{"start", cut.start == 0 ? Json() : Json(cut.start)},
                           {"stop", or_null(cut.stop)},
                           {"step", cut.step == 1 ? Json() : Json(cut.step)}};
  return Json::Object{{"class_name", "__slice__"}, {"config", range}};
}

Size length_of(const Cut& cut, const Size& size) {
  const Size stop = !cut.stop ? size : *cut.stop < 0 ? size + Size(*cut.stop) : Size(*cut.stop);
  return (stop - Size(cut.start) + Size(cut.step - 1)).floor_divide(cut.step);
}

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

Handle cut(KerasEmitter& emitter, const std::string& suffix, Handle x, const std::map<std::int64_t, Cut>& cuts) {
  SymbolicShape shape = emitter.shape(x);
  Json::Array key;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const auto found = cuts.find(static_cast<std::int64_t>(axis));
    const Cut range = found == cuts.end() ? Cut{} : found->second;
    key.push_back(slice_of(range));
    shape[axis] = length_of(range, shape[axis]);
  }
  return emitter.operation(suffix, kNumpy, "GetItem", {}, {x}, {{"key", key}}, std::move(shape));
}

Handle elementwise(KerasEmitter& emitter, const std::string& suffix, const std::string& class_name, Handle x) {
  return emitter.operation(suffix, kNumpy, class_name, {}, {x}, {}, emitter.shape(x));
}

Handle elementwise(KerasEmitter& emitter, const std::string& suffix, const std::string& class_name, Handle x1,
                   Handle x2) {
  return emitter.operation(suffix, kNumpy, class_name, {}, {x1, x2}, {}, emitter.shape(x1));
}

Handle elementwise(KerasEmitter& emitter, const std::string& suffix, const std::string& class_name, Handle x1,
                   double x2) {
  return emitter.operation(suffix, kNumpy, class_name, {}, {x1}, {{"x2", x2}}, emitter.shape(x1));
}

Handle reduce(KerasEmitter& emitter, const std::string& suffix, const std::string& class_name, Handle x,
              const std::vector<std::int64_t>& axes) {
  SymbolicShape shape = emitter.shape(x);
  for (const std::int64_t axis : axes) shape.at(axis) = 1;
  return emitter.operation(suffix, kNumpy, class_name, {{"axis", Json::array(axes)}, {"keepdims", true}}, {x}, {},
                           std::move(shape));
}

Handle scaled(KerasEmitter& emitter, const std::string& suffix, Handle x, double factor) {
  return factor == 1 ? x : elementwise(emitter, suffix, "Multiply", x, factor);
}

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
