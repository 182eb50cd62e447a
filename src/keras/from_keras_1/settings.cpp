#include "keras/from_keras_1/settings.h"

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

struct Row {
  enum class Says { Class, Renamed, Idle, Absent } says;
  std::string_view class_name;
  std::string_view key;    // the old one
  std::string_view value;  // the new class or key, or the JSON of a value
};

constexpr auto kRows = std::to_array<Row>({
#define KERAS_1_CLASS(old_name, new_name) {Row::Says::Class, old_name, {}, new_name},
#define KERAS_1_RENAMED(class_name, old_key, new_key) {Row::Says::Renamed, class_name, old_key, new_key},
#define KERAS_1_IDLE(class_name, key) {Row::Says::Idle, class_name, key, {}},
#define KERAS_1_ABSENT(class_name, key, value) {Row::Says::Absent, class_name, key, value},
#include "keras/from_keras_1/names.def"
#undef KERAS_1_CLASS
#undef KERAS_1_RENAMED
#undef KERAS_1_IDLE
#undef KERAS_1_ABSENT
});

// Keras 2's kernel_size from what gave it axis by axis.
constexpr std::array<std::string_view, 5> kSizes{"nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3"};

const Row* row_of(std::string_view class_name, std::string_view key) {
  const Row* general = nullptr;
  for (const Row& row : kRows) {
    if (row.key != key || (row.says != Row::Says::Renamed && row.says != Row::Says::Idle)) continue;
    if (row.class_name == class_name) return &row;
    if (row.class_name == "*") general = &row;
  }
  return general;
}

bool has_sizes(std::string_view class_name) { return class_name.ends_with("2D") || class_name.ends_with("3D"); }

Json ordering_in_keras_2(const Json& value, const std::string& ordering) {
  const std::string said = value.is_string() && value != Json("default") ? value.as_string() : ordering;
  if (said != "th" && said != "tf") throw Unsupported("its dim_ordering is " + quoted(value) + ", expected th or tf");
  return said == "th" ? "channels_first" : "channels_last";
}

// {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01}
Json regularizer(const Json& value) {
  const Json* name = value.find("name");
  if (!name) return value;
  if (*name == Json("EigenvalueRegularizer"))
    throw Unsupported("it has an EigenvalueRegularizer, which Keras 3 has nothing like");
  const auto number = [&](const char* key) {
    const Json* given = value.find(key);
    return given && given->is_number() ? *given : Json(0.0);
  };
  return Json::Object{{"class_name", "L1L2"}, {"config", Json::Object{{"l1", number("l1")}, {"l2", number("l2")}}}};
}

// {"name": "MaxNorm", "m": 2, "axis": 0}
Json constraint(const Json& value) {
  const Json* name = value.find("name");
  if (!name) return value;
  Json::Object config;
  for (const auto& [key, member] : value.as_object())
    if (key != "name") config.set(key == "m" ? "max_value" : key, member);
  return Json::Object{{"class_name", *name}, {"config", std::move(config)}};
}

Json pair_of(const Json& value) { return value.is_integer() ? Json(Json::Array{value, value}) : value; }

// An integer, [rows, columns], [top, bottom, left, right] or, of one axis, {"left_pad": 1, "right_pad": 2}.
Json padding_of_zeros(const std::string& class_name, const Json& value) {
  if (class_name == "ZeroPadding1D") {
    if (const Json* left = value.find("left_pad")) return Json::Array{*left, value.at("right_pad")};
    return pair_of(value);
  }
  if (const Json* top = value.find("top_pad"))
    return Json::Array{Json::Array{*top, value.at("bottom_pad")},
                       Json::Array{value.at("left_pad"), value.at("right_pad")}};
  const Json::Array& parts = value.as_array();
  if (class_name == "ZeroPadding2D" && parts.size() == 4)
    return Json::Array{Json::Array{parts[0], parts[1]}, Json::Array{parts[2], parts[3]}};
  Json::Array pairs;
  for (const Json& part : parts) pairs.push_back(pair_of(part));
  return pairs;
}

void check_padding(const Json::Object& settings) {
  const Json* padding = settings.find("padding");
  if (padding && padding->is_string() && *padding != Json("valid") && *padding != Json("same"))
    throw Unsupported("its border_mode is " + quoted(*padding) + ", which only Theano had");
}

// Keras 1 has numbers where Keras 2 has lists of one.
void list_numbers(Json::Object& settings) {
  for (const char* key : {"kernel_size", "strides", "dilation_rate", "pool_size"})
    if (Json* value = settings.find(key); value && value->is_integer()) *value = Json::Array{*value};
}

void take_bias_of_forget_gate(Json::Object& settings) {
  const Json* init = settings.find("forget_bias_init");
  if (!init) return;
  const bool is_one = *init == Json("one") || *init == Json("ones");
  settings.erase("forget_bias_init");
  settings.set("unit_forget_bias", is_one);
}

// Of both kernels.
void take_initializer_of_separable(const std::string& class_name, Json::Object& settings) {
  if (class_name != "SeparableConvolution2D") return;
  const Json* init = settings.find("kernel_initializer");
  const Json given = init ? *init : Json("glorot_uniform");
  settings.erase("kernel_initializer");
  settings.set("depthwise_initializer", given);
  settings.set("pointwise_initializer", given);
}

void take_kernel_size(const std::string& class_name, Json::Object& settings) {
  if (!has_sizes(class_name)) return;
  Json::Array sizes;
  for (const std::string_view key : kSizes)
    if (const Json* size = settings.find(key)) {
      sizes.push_back(*size);
      settings.erase(key);
    }
  if (!sizes.empty()) settings.set("kernel_size", std::move(sizes));
}

void take_pooling(const std::string& class_name, Json::Object& settings) {
  if (class_name.find("Pooling") == std::string::npos) return;
  if (const Json* ignored = settings.find("ignore_border")) {
    if (*ignored != Json(true)) throw Unsupported("its ignore_border is false, which only Theano had");
    settings.erase("ignore_border");
    settings.set("padding", "valid");
  }
  const Json* strides = settings.find("strides");
  if (const Json* size = settings.find("pool_size"); size && (!strides || strides->is_null()))
    settings.set("strides", Json(*size));
}

// What a BatchNormalization normalises over.
void take_mode(const std::string& class_name, Json::Object& settings) {
  if (class_name != "BatchNormalization") return;
  const Json* mode = settings.find("mode");
  if (mode && *mode == Json(1))
    throw Unsupported("its mode is 1 (each sample by itself, over its deviation plus epsilon), which Keras 3 has not");
  if (mode && *mode == Json(2))
    throw Unsupported("its mode is 2 (statistics of the batch at inference, too), which Keras 3 has not");
  if (mode && *mode != Json(0)) throw MalformedFile("its mode is " + quoted(*mode) + ", expected 0, 1 or 2");
  settings.erase("mode");
}

}  // namespace

std::string class_in_keras_2(const std::string& class_name) {
  for (const Row& row : kRows)
    if (row.says == Row::Says::Class && row.class_name == class_name) return std::string(row.value);
  return class_name;
}

Json value_in_keras_2(const std::string& key, const Json& value) {
  if (key.ends_with("_regularizer")) return regularizer(value);
  if (key.ends_with("_constraint")) return constraint(value);
  return value;
}

bool is_channels_first(const Json::Object& config, const std::string& ordering) {
  const Json* said = config.find("dim_ordering");
  return ordering_in_keras_2(said ? *said : Json("default"), ordering) == Json("channels_first");
}

Json::Object settings_in_keras_2(const std::string& class_name, const Json::Object& config,
                                 const std::string& ordering) {
  Json::Object result;
  for (const auto& [key, value] : config) {
    const Row* row = row_of(class_name, key);
    if (row && row->says == Row::Says::Idle) continue;
    const std::string new_key = row ? std::string(row->value) : key;
    result.set(new_key, value_in_keras_2(new_key, value));
  }
  for (const Row& row : kRows)
    if (row.says == Row::Says::Absent && row.class_name == class_name && !result.contains(row.key))
      result.set(row.key, Json::parse(row.value, "the table of Keras 1"));
  take_kernel_size(class_name, result);
  take_initializer_of_separable(class_name, result);
  if (const Json* said = result.find("data_format"))
    result.set("data_format", ordering_in_keras_2(*said, ordering));
  else if (has_sizes(class_name) && !class_name.starts_with("SpatialDropout"))
    result.set("data_format", ordering_in_keras_2(Json("default"), ordering));
  take_bias_of_forget_gate(result);
  take_pooling(class_name, result);
  take_mode(class_name, result);
  list_numbers(result);
  check_padding(result);
  if (class_name.starts_with("ZeroPadding")) result.set("padding", padding_of_zeros(class_name, config.at("padding")));
  return result;
}

}  // namespace h5bridge
