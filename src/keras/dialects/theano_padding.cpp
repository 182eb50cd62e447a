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

std::vector<std::int64_t> extents(const Json& config, const char* key) {
  const Json* list = config.find(key);
  if (!list) return {};
  std::vector<std::int64_t> result;
  for (const Json& extent : list->is_array() ? list->as_array() : Json::Array{*list}) {
    result.push_back(extent.as_integer());
    if (result.back() < 1 || result.back() > kLargest)
      throw MalformedFile("a layer's " + std::string(key) + " is " + quoted(*list) + ", expected positive numbers");
  }
  return result;
}

// What Theano put before and behind each axis; empty where Keras 3 does the same.
Json::Array zeros_of(const Json& config) {
  const std::vector<std::int64_t> size = extents(config, "kernel_size");
  std::vector<std::int64_t> strides = extents(config, "strides"), dilation = extents(config, "dilation_rate");
  strides.resize(size.size(), 1);
  dilation.resize(size.size(), 1);
  Json::Array pairs;
  bool differs = false;
  for (std::size_t axis = 0; axis < size.size(); ++axis) {
    const std::int64_t span = (size[axis] - 1) * dilation[axis] + 1;
    differs = differs || strides[axis] > 1 || span % 2 == 0;
    pairs.push_back(Json::Array{span / 2, (span - 1) / 2});
  }
  return differs ? pairs : Json::Array{};
}

std::string name_of_entry(const Json& layer) { return layer.at("config").at("name").as_string(); }

}  // namespace

void mend_theano_padding(Json::Array& layers) {
  std::set<std::string> names;
  std::vector<std::string> refused;
  for (const Json& layer : layers) names.insert(name_of_entry(layer));
  Json::Array result;
  for (Json& layer : layers) {
    const Json* padding = layer.at("config").find("padding");
    const bool is_same = padding && *padding == Json("same");
    const Json& class_name = layer.at("class_name");
    if (is_same && is_among(kNotMended, class_name))
      refused.push_back("layer \"" + name_of_entry(layer) + "\" (" + class_name.as_string() + ")");
    const Json::Array pairs =
        is_same && is_among(kPaddedBefore, class_name) ? zeros_of(layer.at("config")) : Json::Array{};
    if (pairs.empty()) {
      result.push_back(std::move(layer));
      continue;
    }
    const std::string name = unique_name(name_of_entry(layer) + "_padding",
                                         [&](const std::string& candidate) { return names.contains(candidate); });
    names.insert(name);
    Json::Object config{{"padding", pairs.size() == 1 ? pairs[0] : Json(pairs)}, {"dtype", "float32"}};
    if (const Json* format = layer.at("config").find("data_format")) config.set("data_format", *format);
    Json zeros = inserted_layer("ZeroPadding" + std::to_string(pairs.size()) + "D", std::move(config), name);
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
