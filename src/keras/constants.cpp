#include "keras/constants.h"

#include <algorithm>
#include <utility>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

// Truth values are 1 and 0.
Json element_of(const Json& value) { return value.is_bool() ? Json(value.as_bool() ? 1 : 0) : value; }

// The elements of nested lists, which have to be as long as the first ones.
void collect(const Json& value, std::size_t axis, Shape& shape, Json::Array& elements) {
  if (!value.is_array()) {
    if (axis != shape.size()) throw MalformedFile("an array among its arguments has lists of different depths");
    elements.push_back(element_of(value));
    return;
  }
  const auto count = static_cast<std::int64_t>(value.as_array().size());
  if (axis == shape.size() && elements.empty()) shape.push_back(count);
  if (axis >= shape.size() || shape[axis] != count)
    throw MalformedFile("an array among its arguments has lists of different lengths");
  for (const Json& element : value.as_array()) collect(element, axis + 1, shape, elements);
}

// What Keras makes of a number, or nothing of what is none.
std::optional<DType> type_of(const Json& element) {
  if (element.is_bool()) return DType::Bool;
  if (element.is_integer()) return std::in_range<std::int32_t>(element.as_integer()) ? DType::Int32 : DType::Int64;
  if (element.is_number()) return DType::Float32;
  return std::nullopt;
}

// The widest type of the elements of nested lists; of truth values among numbers, and of what is no number, none.
std::optional<DType> type_of_all(const Json& list) {
  if (!list.is_array()) return type_of(list);
  std::optional<DType> result;
  for (const Json& element : list.as_array()) {
    const std::optional<DType> own = type_of_all(element);
    if (!own || (result && (*own == DType::Bool) != (*result == DType::Bool))) return std::nullopt;
    if (!result || is_floating_point(*own) || (*own == DType::Int64 && !is_floating_point(*result))) result = own;
  }
  return result;
}

// Lists of Keras's have numbers as its NumPy has them, each exactly.
Tensor tensor_from(const Json::Array& elements, DType dtype, const Shape& shape) {
  const auto all = [&](auto read) {
    std::vector<decltype(read(elements[0]))> result;
    for (const Json& element : elements) result.push_back(read(element));
    return result;
  };
  const auto truth = [](const Json& json) { return json.is_bool() ? json.as_bool() : json.as_integer() != 0; };
  if (dtype == DType::Bool)
    return tensor_of(dtype, shape, all([&](const Json& json) { return static_cast<std::uint8_t>(truth(json)); }));
  if (is_floating_point(dtype))
    return cast(tensor_of(DType::Float64, shape, all([](const Json& json) { return json.as_float(); })), dtype);
  return cast(tensor_of(DType::Int64, shape, all([](const Json& json) { return json.as_integer(); })), dtype);
}

// A tensor of these elements. Throws Unsupported or MalformedFile.
Layer tensor_layer(const Json::Array& elements, DType dtype, const Shape& shape) {
  const LayerType& type = *Registry::instance().find("new_tensor");
  Layer layer{{}, type.name, type.defaults(), {}};
  layer.attributes.set("data", tensor_from(elements, dtype, shape));
  layer.attributes.set("shape", shape);
  layer.attributes.set("dtype", dtype);
  type.check(layer.attributes);
  return layer;
}

}  // namespace

std::optional<Layer> array_layer(const Json& constant) {
  const Json* class_name = constant.is_object() ? constant.find("class_name") : nullptr;
  if (!class_name || (*class_name != Json("__numpy__") && *class_name != Json("__tensor__"))) return std::nullopt;
  const Json& config = constant.at("config");
  const std::string& name = config.at("dtype").as_string();
  const LayerType& type = *Registry::instance().find("new_tensor");
  const auto dtype = dtype_named(name);
  try {
    type.find_attribute("dtype")->kind->read(name);
  } catch (const MalformedFile&) {
    throw Unsupported("an array of " + shortened(name) + " among its arguments has no layer type");
  }
  Shape shape;
  Json::Array elements;
  collect(config.at("value"), 0, shape, elements);
  return in_file("an array among its arguments", [&] { return tensor_layer(elements, *dtype, shape); });
}

std::optional<Layer> table_layer(const Json& constant) {
  if (std::optional<Layer> layer = array_layer(constant))
    return std::get<Shape>(layer->attributes.at("shape")).size() == 1 ? std::nullopt : std::move(layer);
  if (!constant.is_array() || constant.as_array().empty() || !constant.as_array()[0].is_array()) return std::nullopt;
  Shape shape;
  Json::Array elements;
  collect(constant, 0, shape, elements);
  if (!std::ranges::all_of(elements, &Json::is_integer)) return std::nullopt;
  return in_file("a list among its arguments", [&] { return tensor_layer(elements, DType::Int64, shape); });
}

std::optional<Layer> list_layer(const Json& constant) {
  if (!constant.is_array() || constant.as_array().empty()) return std::nullopt;
  const std::optional<DType> dtype = type_of_all(constant);
  if (!dtype) return std::nullopt;
  Shape shape;
  Json::Array elements;
  collect(constant, 0, shape, elements);
  return in_file("a list among its arguments", [&] { return tensor_layer(elements, *dtype, shape); });
}

// A number without axes promotes as little as Python's does in Keras.
std::optional<Layer> number_layer(const Json& number) {
  const std::optional<DType> dtype = type_of(number);
  if (!dtype) return std::nullopt;
  return in_file("a number among its arguments", [&] { return tensor_layer({element_of(number)}, *dtype, {}); });
}

}  // namespace h5bridge
