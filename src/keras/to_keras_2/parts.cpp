#include "keras/to_keras_2/parts.h"

#include <algorithm>
#include <utility>

#include "h5bridge/error.h"
#include "keras/dialects/tensorflow_functions.h"
#include "keras/to_keras_2/calls.h"

namespace h5bridge {
namespace {

Json tensor_of(const std::string& name, std::size_t call, Json shape, const std::string& dtype) {
  Json::Object config{{"shape", std::move(shape)}, {"dtype", dtype}, {"keras_history", Json::Array{name, call, 0}}};
  return Json::Object{{"class_name", "__keras_tensor__"}, {"config", std::move(config)}};
}

std::string module_of(std::string_view class_name) {
  for (const TensorFlowFunction& row : tensorflow_functions())
    if (row.class_name == class_name) return "keras.src.ops." + std::string(row.module);
  throw Unsupported("h5bridge knows no function of TensorFlow's for " + std::string(class_name));
}

std::string first_dtype(const Json::Array& args) {
  for (const Json& value : args) {
    if (is_keras_tensor(value)) return dtype_of(value);
    if (value.is_array() && !value.as_array().empty()) return first_dtype(value.as_array());
  }
  return "float32";
}

// Extents that NumPy's rule makes of two shapes; one that is left open stays so beside 1.
Json::Array broadcast(const Json::Array& first, const Json::Array& second) {
  Json::Array result(std::max(first.size(), second.size()));
  const auto extent = [&](const Json::Array& shape, std::size_t i) -> Json {
    const std::size_t lacking = result.size() - shape.size();
    return i < lacking ? Json(1) : shape[i - lacking];
  };
  for (std::size_t i = 0; i < result.size(); ++i) {
    const Json one = extent(first, i), other = extent(second, i);
    result[i] = one == Json(1) || (one.is_null() && other != Json(1)) ? other : one;
  }
  return result;
}

}  // namespace

const Json::Array& shape_of(const Json& tensor) { return tensor.at("config").at("shape").as_array(); }

std::string dtype_of(const Json& tensor) { return tensor.at("config").at("dtype").as_string(); }

std::size_t axis_of(const Json& tensor, std::int64_t axis) {
  const auto rank = static_cast<std::int64_t>(shape_of(tensor).size());
  if (axis < -rank || axis >= rank) throw Unsupported("its axis is " + std::to_string(axis) + ", which is none");
  return static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
}

std::int64_t fixed_extent(const Json& tensor, std::size_t axis) {
  const Json& extent = shape_of(tensor).at(axis);
  if (!extent.is_integer()) throw Unsupported("the size of its axis " + std::to_string(axis) + " is left open");
  return extent.as_integer();
}

std::string Parts::next_name() {
  for (std::size_t number = entries_.size() + 1;; ++number)
    if (std::string name = name_ + "_part" + std::to_string(number); taken_.insert(name).second) return name;
}

Json Parts::called(const std::string& module, std::string_view class_name, Json::Object config, Json::Array args,
                   Json shape, const std::string& dtype, Json::Object keywords) {
  const Json node = Json::Object{{"args", std::move(args)}, {"kwargs", std::move(keywords)}};
  if (place_ == entries_.size()) {
    const std::string name = next_name();
    config.set("name", name);
    entries_.push_back(Json::Object{{"module", module},
                                    {"class_name", std::string(class_name)},
                                    {"config", std::move(config)},
                                    {"registered_name", nullptr},
                                    {"name", name},
                                    {"inbound_nodes", Json::Array{node}}});
    ++place_;
    return tensor_of(name, 0, std::move(shape), dtype);
  }
  Json::Object& known = entries_[place_++].as_object();
  config.set("name", known.at("name"));
  if (known.at("class_name") != Json(class_name) || known.at("config").as_object() != config)
    throw Unsupported("its calls differ in more than their tensors");
  Json::Array& nodes = known.find("inbound_nodes")->as_array();
  nodes.push_back(node);
  return tensor_of(known.at("name").as_string(), nodes.size() - 1, std::move(shape), dtype);
}

Json Parts::operation(std::string_view class_name, Json::Object config, Json::Array args, Json shape,
                      const std::string& dtype) {
  const std::string own = dtype.empty() ? first_dtype(args) : dtype;
  return called(module_of(class_name), class_name, std::move(config), std::move(args), std::move(shape), own);
}

Json Parts::operation(std::string_view class_name, const Json& tensor, Json::Object config) {
  return operation(class_name, std::move(config), {tensor}, shape_of(tensor));
}

Json Parts::binary(std::string_view class_name, const Json& first, const Json& second, const std::string& dtype) {
  const auto shape = [](const Json& value) { return is_keras_tensor(value) ? shape_of(value) : Json::Array(); };
  return operation(class_name, {}, {first, second}, broadcast(shape(first), shape(second)), dtype);
}

Json Parts::item(const Json& tensor, Json key, Json shape) {
  return called("keras.src.ops.numpy", "GetItem", {}, {tensor, std::move(key)}, std::move(shape), dtype_of(tensor));
}

Json Parts::layer(std::string_view class_name, Json::Object config, const Json& tensor, Json shape) {
  return called("keras.layers", class_name, std::move(config), {tensor}, std::move(shape), dtype_of(tensor));
}

Json Parts::layer(std::string_view class_name, Json::Object config, Json::Array args, Json::Object keywords,
                  Json shape) {
  const std::string dtype = first_dtype(args);
  return called("keras.layers", class_name, std::move(config), std::move(args), std::move(shape), dtype,
                std::move(keywords));
}

Json::Array Parts::finished() {
  Json::Object& last = entries_.back().as_object();
  taken_.erase(last.at("name").as_string());
  last.set("name", name_);
  last.find("config")->as_object().set("name", name_);
  return std::move(entries_);
}

}  // namespace h5bridge
