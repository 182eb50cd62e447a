#include "keras/dialects/theano_padding.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "h5bridge/architecture.h"
#include "h5bridge/error.h"
#include "keras/dialects/inserted.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr std::array<std::string_view, 3> kPaddedBefore{"Conv1D", "Conv2D", "Conv3D"};
constexpr std::array<std::string_view, 8> kNotMended{"AveragePooling1D", "AveragePooling2D", "AveragePooling3D",
                                                     "Conv2DTranspose",  "ConvLSTM2D",       "MaxPooling1D",
                                                     "MaxPooling2D",     "MaxPooling3D"};

constexpr std::int64_t kLargest = std::int64_t{1} << 30;  // whose products are no overflow

bool is_among(std::span<const std::string_view> classes, const Json& class_name) {
  return class_name.is_string() &&
         std::ranges::find(classes, std::string_view(class_name.as_string())) != classes.end();
}

std::vector<std::int64_t> extents(const Json::Object& config, const char* key) {
  const Json* list = config.find(key);
  if (!list) return {};
  std::vector<std::int64_t> result;
  for (const Json& extent : list->is_array() ? list->as_array() : Json::Array{*list}) {
    result.push_back(extent.as_integer());
    if (result.back() < 1 || result.back() > kLargest)
      throw MalformedFile("its " + std::string(key) + " is " + quoted(*list) + ", expected positive numbers");
  }
  return result;
}

std::string name_of_entry(const Json& layer) { return layer.at("config").at("name").as_string(); }

std::string described(const Json& layer) {
  return "layer \"" + name_of_entry(layer) + "\" (" + layer.at("class_name").as_string() + ")";
}

}  // namespace

KernelWindow kernel_window(const Json::Object& config) {
  KernelWindow window{extents(config, "kernel_size"), extents(config, "strides"), extents(config, "dilation_rate")};
  window.strides.resize(window.size.size(), 1);
  window.dilation.resize(window.size.size(), 1);
  return window;
}

std::optional<Json::Object> zeros_of_theano(const Json::Object& config) {
  const KernelWindow window = kernel_window(config);
  Json::Array pairs;
  bool differs = false;
  for (std::size_t axis = 0; axis < window.size.size(); ++axis) {
    const std::int64_t span = (window.size[axis] - 1) * window.dilation[axis] + 1;
    differs = differs || window.strides[axis] > 1 || span % 2 == 0;
    pairs.push_back(Json::Array{span / 2, (span - 1) / 2});
  }
  if (!differs) return std::nullopt;
  Json::Object zeros{{"padding", pairs.size() == 1 ? pairs[0] : Json(pairs)}};
  if (const Json* format = config.find("data_format")) zeros.set("data_format", *format);
  return zeros;
}

std::string class_of_zeros(const Json::Object& zeros) {
  const Json::Array& pairs = zeros.at("padding").as_array();
  return "ZeroPadding" + std::to_string(pairs[0].is_array() ? pairs.size() : 1) + "D";
}

void mend_theano_padding(Json::Array& layers) {
  std::set<std::string> names;
  std::vector<std::string> refused;
  for (const Json& layer : layers) names.insert(name_of_entry(layer));
  Json::Array result;
  for (Json& layer : layers) {
    const Json* padding = layer.at("config").find("padding");
    const bool is_same = padding && *padding == Json("same");
    const Json& class_name = layer.at("class_name");
    if (is_same && is_among(kNotMended, class_name)) refused.push_back(described(layer));
    std::optional<Json::Object> config;
    if (is_same && is_among(kPaddedBefore, class_name))
      config = in_file(described(layer), [&] { return zeros_of_theano(layer.at("config").as_object()); });
    if (!config) {
      result.push_back(std::move(layer));
      continue;
    }
    const std::string name = unique_name(name_of_entry(layer) + "_padding",
                                         [&](const std::string& candidate) { return names.contains(candidate); });
    names.insert(name);
    config->set("dtype", "float32");
    const std::string zeros_class = class_of_zeros(*config);
    Json zeros = inserted_layer(zeros_class, std::move(*config), name);
    Json::Object changed = layer.as_object();
    changed.find("config")->as_object().set("padding", "valid");
    if (const Json* nodes = layer.find("inbound_nodes")) {
      const std::size_t calls = nodes->as_array().size();
      zeros.as_object().set("inbound_nodes", *nodes);
      changed.set("inbound_nodes", calls_behind(name, calls));
    }
    result.push_back(std::move(zeros));
    result.push_back(std::move(changed));
  }
  if (!refused.empty())
    throw Unsupported(joined(refused, "; ") +
                      ": Theano, which wrote the file, pads for \"same\" before the image, Keras 3 behind it");
  layers = std::move(result);
}

}  // namespace h5bridge
