#include "keras/to_keras_2/one_type.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "h5bridge/dtype.h"
#include "keras/to_keras_2/calls.h"
#include "model/promotion.h"

namespace h5bridge {
namespace {

// Operations that compute in the type that their tensors promote to.
constexpr auto kPromoting = std::to_array<std::string_view>(
    {"Add",      "BitwiseAnd", "BitwiseOr",   "BitwiseXor",   "Concatenate", "Divide",    "Einsum",
     "Equal",    "Fmod",       "Greater",     "GreaterEqual", "Less",        "LessEqual", "Matmul",
     "Maximum",  "Minimum",    "Mod",         "Multiply",     "NotEqual",    "Power",     "Stack",
     "Subtract", "TrueDivide", "FloorDivide", "Where"});
// Those that give floats of integers.
constexpr auto kOfFloats = std::to_array<std::string_view>(
    {"Arccos", "Arccosh", "Arcsin", "Arcsinh", "Arctan", "Arctanh", "Cos",   "Cosh",
     "Divide", "Exp",     "Expm1",  "Log",     "Log1p",  "Mean",    "Rsqrt", "Sigmoid",
     "Sin",    "Sinh",    "Sqrt",   "Std",     "Tan",    "Tanh",    "Var",   "TrueDivide"});
// Those that count truth values.
constexpr auto kCounting = std::to_array<std::string_view>({"Cumprod", "Cumsum", "Prod", "Sum"});
// Layers that give what they are given.
constexpr auto kKeeping = std::to_array<std::string_view>(
    {"Add", "Concatenate", "Cropping1D", "Cropping2D", "Cropping3D", "Flatten", "Maximum", "Minimum", "Multiply",
     "Permute", "Reshape", "RepeatVector", "Subtract", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"});

template <typename Names>
bool is_in(const Names& names, const std::string& name) {
  return std::ranges::find(names, std::string_view(name)) != names.end();
}

// Where's condition has a type of its own.
std::size_t first_alike(const std::string& class_name) { return class_name == "Where" ? 1 : 0; }

// "" of what is no tensor, and of what a layer that was put before another gives.
std::string stated_type(const Json& value) {
  const Json* dtype = is_keras_tensor(value) ? value.at("config").find("dtype") : nullptr;
  return dtype ? dtype->as_string() : "";
}

void promote_with(const Json& value, std::optional<DType>& wanted) {
  if (value.is_array())
    for (const Json& one : value.as_array()) promote_with(one, wanted);
  auto own = dtype_named(stated_type(value));
  if (value.is_float() && std::floor(value.as_float()) != value.as_float() && wanted && !is_floating_point(*wanted))
    own = DType::Float32;
  if (own) wanted = wanted ? promoted(*wanted, *own) : *own;
}

std::optional<DType> type_of_all(const std::string& class_name, const Json::Array& args) {
  std::optional<DType> wanted;
  const bool counts = is_in(kCounting, class_name), gives_floats = is_in(kOfFloats, class_name);
  if (!is_in(kPromoting, class_name) && !counts && !gives_floats) return wanted;
  for (std::size_t i = first_alike(class_name); i < args.size(); ++i) promote_with(args[i], wanted);
  if (wanted && !is_floating_point(*wanted) && gives_floats) return DType::Float32;
  return wanted == DType::Bool && counts ? DType::Int32 : wanted;
}

bool is_other(const Json& value, std::string_view dtype) {
  if (value.is_array())
    return std::ranges::any_of(value.as_array(), [&](const Json& one) { return is_other(one, dtype); });
  return !stated_type(value).empty() && stated_type(value) != dtype;
}

Json cast(Parts& parts, const Json& value, const std::string& dtype) {
  if (!is_other(value, dtype)) return value;
  if (!value.is_array()) return parts.operation("Cast", {{"dtype", dtype}}, {value}, shape_of(value), dtype);
  Json::Array all;
  for (const Json& one : value.as_array()) all.push_back(cast(parts, one, dtype));
  return all;
}

bool mixes(const std::string& class_name, const Json::Array& args) {
  const std::optional<DType> wanted = type_of_all(class_name, args);
  if (!wanted) return false;
  for (std::size_t i = first_alike(class_name); i < args.size(); ++i)
    if (is_other(args[i], name_of(*wanted))) return true;
  return false;
}

// The tensors of a call whose layers have another type than is stated.
void mend(Json& value, const std::map<std::string, std::string>& types) {
  if (is_keras_tensor(value)) {
    Json::Object config = value.at("config").as_object();
    const auto type = types.find(config.at("keras_history").as_array().at(0).as_string());
    if (type == types.end()) return;
    config.set("dtype", type->second);
    value.as_object().set("config", std::move(config));
  } else if (value.is_array()) {
    for (Json& one : value.as_array()) mend(one, types);
  }
}

}  // namespace

void state_true_types(Json::Array& layers) {
  std::map<std::string, std::string> types;
  for (Json& layer : layers) {
    Json* nodes = layer.as_object().find("inbound_nodes");
    if (!nodes || nodes->as_array().empty()) continue;
    if (!types.empty())
      for (Json& node : nodes->as_array()) mend(*node.as_object().find("args"), types);
    const Json::Array& args = nodes->as_array()[0].at("args").as_array();
    std::optional<DType> taken;
    if (!args.empty()) promote_with(args[0], taken);
    const bool is_layer = layer.at("module").as_string().starts_with("keras.layers");
    if (is_layer && taken && !is_floating_point(*taken) && is_in(kKeeping, layer.at("class_name").as_string()))
      types[layer.at("name").as_string()] = std::string(name_of(*taken));
  }
}

bool mixes_types(const Json& entry) {
  return std::ranges::any_of(entry.at("inbound_nodes").as_array(), [&](const Json& node) {
    return mixes(entry.at("class_name").as_string(), node.at("args").as_array());
  });
}

Json::Array of_one_type(Parts& parts, const std::string& class_name, const Json::Array& args) {
  if (!mixes(class_name, args)) return args;
  const std::string dtype(name_of(*type_of_all(class_name, args)));
  Json::Array result = args;
  for (std::size_t i = first_alike(class_name); i < args.size(); ++i) result[i] = cast(parts, args[i], dtype);
  return result;
}

}  // namespace h5bridge
