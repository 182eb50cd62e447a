#include "keras/dialects/locally_connected.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "h5bridge/error.h"
#include "keras/dialects/inserted.h"
#include "keras/dialects/nodes.h"
#include "keras/dialects/theano_padding.h"
#include "keras/dialects/weights.h"

namespace h5bridge {
namespace {

using Extents = std::vector<std::int64_t>;

// What no one's window or stride is, and a stranger's file may say.
constexpr std::int64_t kMostExtent = std::int64_t{1} << 20;
// How often more weights a window may have than there are elements in a file: of a window that is larger than a picture
// most lie outside of it.
constexpr double kMostWeights = 64;

std::int64_t product(const Extents& extents) {
  return std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
}

// All places of a grid, the last axis first.
template <typename Visit>
void for_each_place(const Extents& extents, Visit&& visit) {
  Extents place(extents.size(), 0);
  for (std::int64_t i = 0; i < product(extents); ++i) {
    visit(place);
    for (std::size_t axis = extents.size(); axis-- > 0;) {
      if (++place[axis] < extents[axis]) break;
      place[axis] = 0;
    }
  }
}

std::int64_t offset_in(const Extents& extents, const Extents& place) {
  std::int64_t offset = 0;
  for (std::size_t axis = 0; axis < extents.size(); ++axis) offset = offset * extents[axis] + place[axis];
  return offset;
}

// Where the window's element at `place` lies in the image; nullopt outside of it.
std::optional<Extents> in_image(const LocalLayer& layer, const Extents& place, const Extents& element) {
  Extents result;
  for (std::size_t axis = 0; axis < place.size(); ++axis) {
    const std::int64_t at = place[axis] * layer.strides[axis] + element[axis] - layer.before[axis];
    if (at < 0 || (!layer.image.empty() && at >= layer.image[axis])) return std::nullopt;
    result.push_back(at);
  }
  return result;
}

bool is_padded(const Json& config) { return config.at("padding") == Json("same"); }

// --- Sizes

[[noreturn]] void refuse_sizes() {
  throw Unsupported(
      "how many places it has, nothing says but the weights: a file of Keras's .h5 form with its bias tells them");
}

void take_sizes(LocalLayer& layer, const Json& config, const std::vector<KerasVariable*>& variables) {
  const std::size_t axes = layer.window.size();
  if (variables.empty()) refuse_sizes();
  const Shape& kernel = variables[0]->tensor.shape();
  const bool has_bias = variables.size() > 1;
  const auto part = [&](const Shape& shape, std::size_t first) {
    return Extents(shape.begin() + static_cast<std::ptrdiff_t>(first),
                   shape.begin() + static_cast<std::ptrdiff_t>(first + axes));
  };
  const auto check = [&](bool fits) {
    if (!fits) throw MalformedFile("its kernel has shape " + to_string(kernel) + ", which is none of its settings");
  };
  if (has_bias) {
    check(variables[1]->tensor.shape().size() == axes + 1);
    layer.places = part(variables[1]->tensor.shape(), 0);
  }
  const std::int64_t window = product(layer.window);
  const auto check_count = [&] {
    double weights = static_cast<double>(window) * static_cast<double>(layer.filters);
    for (const std::int64_t extent : layer.places) weights *= static_cast<double>(extent);
    check(weights <= kMostWeights * static_cast<double>(element_count(kernel)));
  };
  check_count();
  if (layer.implementation == 2) {
    check(kernel.size() == 2 * axes + 2);
    const std::size_t shift = layer.is_channels_first ? 1 : 0;
    layer.image = part(kernel, shift);
    layer.places = part(kernel, axes + 1 + shift);
    layer.channels = kernel[layer.is_channels_first ? 0 : axes];
    check(kernel[layer.is_channels_first ? axes + 1 : 2 * axes + 1] == layer.filters);
    for (std::size_t axis = 0; axis < axes; ++axis) {
      const std::int64_t room = layer.image[axis] - (is_padded(config) ? 1 : layer.window[axis]);
      check(room >= 0 && layer.places[axis] == room / layer.strides[axis] + 1);
    }
    check_count();
  } else if (layer.implementation == 1) {
    check(kernel.size() == 3 && kernel[1] % window == 0 && kernel[2] == layer.filters);
    if (is_padded(config)) throw MalformedFile("its padding is \"same\", which its implementation 1 does not have");
    if (!has_bias && axes > 1) refuse_sizes();
    if (!has_bias) layer.places = {kernel[0]};
    check(product(layer.places) == kernel[0]);
    layer.channels = kernel[1] / window;
  } else {
    check(kernel.size() == 1);
    if (!has_bias) refuse_sizes();
    const bool is_stepped = std::ranges::any_of(layer.strides, [](std::int64_t stride) { return stride != 1; });
    if (is_padded(config) && is_stepped) refuse_sizes();
    if (is_padded(config)) layer.image = layer.places;
    std::int64_t connections = 0;
    for_each_place(layer.places, [&](const Extents& place) {
      for_each_place(layer.window,
                     [&](const Extents& element) { connections += in_image(layer, place, element) ? 1 : 0; });
    });
    const std::int64_t each = connections * layer.filters;
    check(each > 0 && kernel[0] % each == 0);
    layer.channels = kernel[0] / each;
  }
  check(layer.channels > 0 && product(layer.places) > 0);
}

// What some versions do not write.
void add_defaults(Json::Object& config) {
  const Json one = config.contains("kernel_size") && config.at("kernel_size").is_array()
                       ? Json(Json::Array(config.at("kernel_size").as_array().size(), Json(1)))
                       : Json(1);
  const std::array<std::pair<const char*, Json>, 5> defaults{{{"data_format", "channels_last"},
                                                              {"padding", "valid"},
                                                              {"activation", "linear"},
                                                              {"use_bias", true},
                                                              {"strides", one}}};
  for (const auto& [key, value] : defaults)
    if (!config.contains(key)) config.set(key, value);
  if (!config.contains("trainable")) config.set("trainable", true);
}

LocalLayer settings_of_local(const Json& entry) {
  const Json& config = entry.at("config");
  LocalLayer layer;
  layer.is_channels_first = config.at("data_format") == Json("channels_first");
  if (const Json* stated = config.find("implementation"); stated && stated->is_integer())
    layer.implementation = static_cast<int>(stated->as_integer());
  if (layer.implementation < 1 || layer.implementation > 3)
    throw MalformedFile("its implementation is " + config.at("implementation").dump() + ", expected 1, 2 or 3");
  const KernelWindow window = kernel_window(config.as_object());
  layer.window = window.size;
  layer.strides = window.strides;
  const std::size_t axes = entry.at("class_name") == Json("LocallyConnected1D") ? 1 : 2;
  const auto are_counts = [&](const Extents& extents) {
    return extents.size() == axes &&
           std::ranges::all_of(extents, [](std::int64_t extent) { return extent > 0 && extent <= kMostExtent; });
  };
  if (!are_counts(layer.window) || !are_counts(layer.strides))
    throw MalformedFile("its kernel_size or strides are no " + std::to_string(axes) + " numbers above 0");
  for (const std::int64_t extent : layer.window) layer.before.push_back(is_padded(config) ? extent / 2 : 0);
  layer.filters = config.at("filters").as_integer();
  if (layer.filters < 1) throw MalformedFile("its filters are " + config.at("filters").dump());
  return layer;
}

// --- Layers

struct Part {
  std::string suffix;
  std::string class_name;
  Json::Object config;
};

Json::Object einsum_config(const LocalLayer& layer, const Json& config) {
  const std::string places = layer.places.size() == 1 ? "p" : "rc";
  Json::Array output = Json::array(layer.places).as_array();
  const std::string result = layer.is_channels_first ? "f" + places : places + "f";
  output.insert(layer.is_channels_first ? output.begin() : output.end(), Json(layer.filters));
  Json::Object result_config = config.as_object();
  const bool has_bias = config.at("use_bias") != Json(false);
  for (const char* key : {"filters", "kernel_size", "strides", "padding", "data_format", "implementation", "use_bias"})
    result_config.erase(key);
  result_config.set("equation", "bk" + places + "," + places + "kf->b" + result);
  result_config.set("output_shape", std::move(output));
  result_config.set("bias_axes", has_bias ? Json(result) : Json());
  return result_config;
}

std::vector<Part> parts_of(const LocalLayer& layer, const Json& config) {
  const std::size_t axes = layer.window.size();
  const std::int64_t columns = layer.channels * product(layer.window);
  const Json& format = config.at("data_format");
  std::vector<Part> parts;
  if (is_padded(config)) {
    Json::Array padding;
    for (std::size_t axis = 0; axis < axes; ++axis) {
      const std::int64_t reach = (layer.places[axis] - 1) * layer.strides[axis] + layer.window[axis];
      padding.push_back(
          Json::Array{layer.before[axis], std::max<std::int64_t>(0, reach - layer.before[axis] - layer.image[axis])});
    }
    if (axes == 1)
      parts.push_back({"_padding", "ZeroPadding1D", {{"padding", padding[0]}, {"data_format", format}}});
    else
      parts.push_back({"_padding", "ZeroPadding2D", {{"padding", std::move(padding)}, {"data_format", format}}});
  }
  if (!layer.is_channels_first)
    parts.push_back({"_channels", "Permute", {{"dims", axes == 1 ? Json::Array{2, 1} : Json::Array{3, 1, 2}}}});
  if (axes == 1) parts.push_back({"_image", "Reshape", {{"target_shape", Json::Array{layer.channels, 1, -1}}}});
  const auto sizes = [&](const Extents& own) {
    return axes == 1 ? Json::Array{1, own[0]} : Json::Array{own[0], own[1]};
  };
  parts.push_back(
      {"_windows",
       "Unfold",
       {{"kernel_size", sizes(layer.window)}, {"dilation", 1}, {"padding", 0}, {"stride", sizes(layer.strides)}}});
  if (axes > 1)
    parts.push_back({"_places", "Reshape", {{"target_shape", Json::Array{columns, layer.places[0], layer.places[1]}}}});
  parts.push_back({"", "EinsumDense", einsum_config(layer, config)});
  return parts;
}

std::string local_name(const Json& layer) { return layer.at("config").at("name").as_string(); }

void add_parts(const Json& entry, const LocalLayer& layer, Json::Array& result) {
  const std::string name = local_name(entry);
  const Json* nodes = entry.find("inbound_nodes");
  Json calls = nodes ? *nodes : Json();
  const std::size_t count = nodes ? nodes->as_array().size() : 0;
  for (Part& part : parts_of(layer, entry.at("config"))) {
    const bool is_operation = part.class_name == "Unfold";
    for (const char* key : {"trainable", "dtype"})
      if (const Json* own = entry.at("config").find(key); own && !is_operation) part.config.set(key, *own);
    Json made = inserted_layer(part.class_name, std::move(part.config), name + part.suffix);
    Json::Object& own = made.as_object();
    if (is_operation) {
      own.set("module", "keras.src.ops.nn");
      own.set("registered_name", "Unfold");
    }
    if (nodes) own.set("inbound_nodes", std::exchange(calls, calls_behind(name + part.suffix, count)));
    result.push_back(std::move(made));
  }
}

// Operations stand in graphs alone.
void give_calls(Json::Array& layers) {
  if (layers.empty() || layers[0].at("class_name") != Json("InputLayer"))
    throw Unsupported("the model does not say what shape its input has");
  std::string before;
  for (Json& layer : layers) {
    const std::string name = local_name(layer);
    layer.as_object().set("name", name);
    layer.as_object().set("inbound_nodes", before.empty() ? Json(Json::Array{}) : calls_behind(before, 1));
    before = name;
  }
}

// --- Weights

Tensor gathered(const Tensor& from, const Shape& shape, const std::vector<std::int64_t>& sources) {
  const std::vector<std::byte> bytes = from.read();
  const std::size_t size =
      from.rank() == 0 || bytes.empty() ? 0 : bytes.size() / static_cast<std::size_t>(element_count(from.shape()));
  std::vector<std::byte> result(sources.size() * size);  // zeros where there is no source
  for (std::size_t i = 0; i < sources.size(); ++i)
    if (sources[i] >= 0)
      std::memcpy(result.data() + i * size, bytes.data() + static_cast<std::size_t>(sources[i]) * size, size);
  return Tensor(from.dtype(), shape, bytes_in_memory(std::move(result)));
}

Extents with(const Extents& extents, std::int64_t channels, bool is_first) {
  Extents result = extents;
  result.insert(is_first ? result.begin() : result.end(), channels);
  return result;
}

// Of each connection its number among all: sorted by what it gives, then by what it takes.
std::vector<std::int64_t> numbers_of(std::vector<std::pair<std::int64_t, std::int64_t>> connections) {
  std::vector<std::int64_t> order(connections.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](std::int64_t i) { return connections[static_cast<std::size_t>(i)]; });
  std::vector<std::int64_t> numbers(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    numbers[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  return numbers;
}

}  // namespace

bool is_locally_connected(const Json& layer) {
  const Json& class_name = layer.at("class_name");
  return class_name == Json("LocallyConnected1D") || class_name == Json("LocallyConnected2D");
}

void take_local_layers(Json::Array& layers, bool is_chain, const std::vector<KerasLayerWeights>* weights,
                       const std::string& group, std::vector<LocalLayer>& found) {
  if (std::ranges::none_of(layers, is_locally_connected)) return;
  if (is_chain) give_calls(layers);
  Json::Array result;
  for (Json& entry : layers) {
    if (!is_locally_connected(entry)) {
      result.push_back(std::move(entry));
      continue;
    }
    const std::string name = local_name(entry);
    add_defaults(entry.as_object().find("config")->as_object());
    try {
      LocalLayer layer = settings_of_local(entry);
      layer.layer = group.empty() ? name : group;
      layer.inner = group.empty() ? "" : name;
      KerasLayerWeights own;
      if (weights)
        for (const KerasLayerWeights& each : *weights)
          if (each.layer == layer.layer) own = each;
      take_sizes(layer, entry.at("config"), variables_within(own, layer.inner, own.variables.empty() ? 0 : 1));
      add_parts(entry, layer, result);
      found.push_back(std::move(layer));
    } catch (const Error& error) {
      rethrow_in_file(error, "layer \"" + name + "\" (" + entry.at("class_name").as_string() + ")");
    }
  }
  layers = std::move(result);
}

Tensor local_kernel(const Tensor& kernel, const LocalLayer& layer) {
  // What each element of (places..., channels, window..., filters) is in the file.
  std::vector<std::int64_t> sources;
  std::vector<std::pair<std::int64_t, std::int64_t>> connections;
  std::vector<std::size_t> connected;
  const Extents taken = layer.image.empty() ? Extents{} : with(layer.image, layer.channels, layer.is_channels_first);
  const Extents given = with(layer.places, layer.filters, layer.is_channels_first);
  // Where no one asks for the image, any that holds all windows has its places in the same order.
  Extents image = layer.image;
  if (image.empty())
    for (std::size_t axis = 0; axis < layer.places.size(); ++axis)
      image.push_back((layer.places[axis] - 1) * layer.strides[axis] + layer.window[axis]);
  const Extents whole = with(image, layer.channels, layer.is_channels_first);
  const std::int64_t window = product(layer.window);
  for_each_place(layer.places, [&](const Extents& place) {
    for (std::int64_t channel = 0; channel < layer.channels; ++channel)
      for_each_place(layer.window, [&](const Extents& element) {
        const std::int64_t column = layer.is_channels_first
                                        ? channel * window + offset_in(layer.window, element)
                                        : offset_in(layer.window, element) * layer.channels + channel;
        for (std::int64_t filter = 0; filter < layer.filters; ++filter) {
          if (layer.implementation == 1) {
            const std::int64_t row = offset_in(layer.places, place) * (layer.channels * window) + column;
            sources.push_back(row * layer.filters + filter);
            continue;
          }
          const std::optional<Extents> at = in_image(layer, place, element);
          if (!at) {
            sources.push_back(-1);
            continue;
          }
          const std::int64_t from = offset_in(whole, with(*at, channel, layer.is_channels_first));
          const std::int64_t to = offset_in(given, with(place, filter, layer.is_channels_first));
          if (layer.implementation == 3) {
            connected.push_back(sources.size());
            connections.emplace_back(to, from);
            sources.push_back(0);
          } else {
            sources.push_back(from * product(given) + to);
          }
        }
      });
  });
  if (layer.implementation == 3) {
    const std::vector<std::int64_t> numbers = numbers_of(std::move(connections));
    for (std::size_t i = 0; i < numbers.size(); ++i) sources[connected[i]] = numbers[i];
  }
  const std::int64_t most = sources.empty() ? -1 : *std::ranges::max_element(sources);
  if (most >= element_count(kernel.shape()))
    throw MalformedFile("its kernel has shape " + to_string(kernel.shape()) + ", expected " + std::to_string(most + 1) +
                        " elements");
  Shape shape(layer.places.begin(), layer.places.end());
  shape.push_back(layer.channels * window);
  shape.push_back(layer.filters);
  return gathered(kernel, shape, sources);
}

Tensor local_bias(const Tensor& bias, const LocalLayer& layer) {
  const Extents shape = with(layer.places, layer.filters, layer.is_channels_first);
  if (element_count(bias.shape()) != product(shape))
    throw MalformedFile("its bias has shape " + to_string(bias.shape()) + ", expected " +
                        std::to_string(product(shape)) + " elements");
  return bias.contiguous().reshape(Shape(shape.begin(), shape.end()));
}

}  // namespace h5bridge
