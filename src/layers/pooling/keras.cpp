#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "facets/keras/composition.h"
#include "facets/keras/mapping.h"
#include "facets/keras/not_of_integers.h"
#include "facets/keras/open_windows.h"
#include "facets/keras/operation.h"
#include "facets/keras/padding.h"
#include "facets/registry.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"
#include "layers/pooling/places_keras.h"

namespace h5bridge::pooling {
namespace {

using Handle = KerasEmitter::Handle;

// What slides over an input, and the Keras layer that does so without any padding.
struct Pooling {
  const Attributes& attributes;
  KerasEmitter& emitter;
  std::function<Handle(Handle)> pool;
  std::vector<Window> windows = windows_of(attributes);

  std::size_t axes() const { return windows.size(); }
  std::int64_t channels() const { return channel_axis(attributes, static_cast<std::int64_t>(axes()) + 2); }
  /// The axis of a tensor that window `i` slides along.
  std::int64_t axis(std::size_t i) const { return static_cast<std::int64_t>(i) + (channels() == 1 ? 2 : 1); }
  double elements() const {
    return std::accumulate(windows.begin(), windows.end(), 1.0, [](double product, const Window& window) {
      return product * static_cast<double>(window.kernel);
    });
  }
  /// A helper layer of the type "MaxPool" or "AvgPool" with the same windows.
  Handle helper(const std::string& suffix, const std::string& name, Handle input) const {
    const std::string type = name + torch_suffix(axes());
    Attributes plain = Registry::instance().find(type)->defaults();
    plain.set("kernel_size", attributes.at("kernel_size"));
    plain.set("stride", attributes.at(attributes.is_none("stride") ? "kernel_size" : "stride"));
    plain.set("data_format", attributes.at("data_format"));
    return emitter.layer(suffix, type, plain, input);
  }
};

// Margins of which no ceil_mode is left to ask for.
std::vector<Margins> whole_margins(const Pooling& pooling) {
  const Attributes& a = pooling.attributes;
  const SymbolicShape spatial = spatial_sizes(a, pooling.emitter.input_shapes()[0], pooling.axes());
  std::vector<Margins> margins = margins_of(a);
  if (!a.boolean("ceil_mode")) return margins;
  for (std::size_t i = 0; i < margins.size(); ++i) {
    const Window& window = pooling.windows[i];
    const auto left = (spatial[i] + Size(margins[i].before + margins[i].after - window.extent())).value();
    const bool fits = !(left && *left < 0) &&
                      windows_in(spatial[i], window, margins[i]) == windows_in(spatial[i], window, margins[i], true);
    if (!fits) margins[i] = with_ceil(window, margins[i]);
  }
  return margins;
}

// The largest of a window's elements one axis after the other, each by slices that start at the window's elements.
Handle maximum_of_slices(const Pooling& pooling, Handle input) {
  KerasEmitter& emitter = pooling.emitter;
  for (std::size_t i = 0; i < pooling.axes(); ++i) {
    const Window& window = pooling.windows[i];
    std::optional<Handle> largest;
    for (std::int64_t start = 0; start < window.extent(); start += window.dilation) {
      const std::int64_t stop = start + 1 - window.extent();
      const Handle slice =
          named(emitter, "slice")
              .cut(input, {{pooling.axis(i), {start, stop == 0 ? std::nullopt : std::optional(stop), window.stride}}});
      largest = largest ? named(emitter, "maximum").elementwise("Maximum", {*largest, slice}) : slice;
    }
    input = *largest;
  }
  return input;
}

Handle maximum_over_windows(const Pooling& pooling, Handle input) {
  const std::vector<Margins> margins = whole_margins(pooling);
  if (any_margin(margins))
    input = emit_constant_padding(margins, -std::numeric_limits<double>::infinity(), pooling.attributes,
                                  pooling.emitter, input);
  const bool dilated = std::any_of(pooling.windows.begin(), pooling.windows.end(),
                                   [](const Window& window) { return window.dilation != 1; });
  return dilated ? maximum_of_slices(pooling, input) : pooling.pool(input);
}

// The means of windows: of all their elements, or of those only that count.
Handle mean_over_windows(const Pooling& pooling, Handle input) {
  const Attributes& a = pooling.attributes;
  KerasEmitter& emitter = pooling.emitter;
  const std::vector<Margins> all = whole_margins(pooling);
  const auto pad = [&](Handle value, const std::vector<Margins>& margins) {
    return any_margin(margins) ? emit_zero_padding(margins, a, emitter, value) : value;
  };
  if (a.contains("divisor_override") && !a.is_none("divisor_override"))
    return named(emitter, "scaled")
        .scaled(pooling.pool(pad(input, all)), pooling.elements() / static_cast<double>(a.integer("divisor_override")));

  std::vector<Margins> counted = margins_of(a);
  if (a.contains("count_include_pad") && !a.boolean("count_include_pad")) counted.assign(counted.size(), {0, 0});
  std::vector<Margins> uncounted = all;
  for (std::size_t i = 0; i < all.size(); ++i)
    uncounted[i] = {all[i].before - counted[i].before, all[i].after - counted[i].after};
  const Handle known = pad(input, counted);
  if (!any_margin(uncounted)) return pooling.pool(known);
  // Zeros that do not count: the mean with them is divided by the part that the others have in each window.
  const Handle mean = pooling.pool(pad(known, uncounted));
  const Handle one_image = named(emitter, "image").cut(known, {{0, {0, 1}}, {pooling.channels(), {0, 1}}});
  const Handle part =
      pooling.helper("count", "AvgPool", pad(named(emitter, "ones").elementwise("OnesLike", {one_image}), uncounted));
  return named(emitter, "mean").elementwise("Divide", {mean, part});
}

bool wants_places(const Attributes& a, const KerasEmitter& emitter) {
  return a.contains("return_indices") && a.boolean("return_indices") && emitter.is_used(1);
}

// Keras's own layer with the input padded as it cannot say itself.
using OverWindows = Handle (*)(const Pooling&, Handle);
decltype(KerasMapping::lower) lower_pooling(OverWindows over_windows) {
  return [over_windows](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    config.set("strides", Json::array(a.is_none("stride") ? a.integers("kernel_size") : a.integers("stride")));
    const bool same = has_padding_word(a, "same");
    config.set("padding", same ? "same" : "valid");
    const auto main = [&](Handle input) { return emitter.main(config, {input}).first(); };
    if (same) return main(emitter.input(0));
    const Pooling pooling{a, emitter, main};
    const Handle values = over_windows(pooling, emitter.input(0));
    if (!wants_places(a, emitter)) return values;
    return std::vector<Handle>{values, emit_places(a, emitter, whole_margins(pooling))};
  };
}

// Source: torch/nn/functional.py, lp_pool2d.
KerasEmitter::Results lower_power(const Attributes& a, Json::Object, KerasEmitter& emitter) {
  const double power = a.number("norm_type");
  const Handle x = emitter.input(0);
  Pooling pooling{a, emitter, {}};
  if (std::isinf(power)) {  // the largest or the smallest of the absolute values
    pooling.pool = [&](Handle input) { return pooling.helper("pool", "MaxPool", input); };
    const Handle sizes = named(emitter, "absolute").elementwise("Absolute", {x});
    if (power > 0) return maximum_over_windows(pooling, sizes);
    return named(emitter, "")
        .elementwise("Negative",
                     {maximum_over_windows(pooling, named(emitter, "negative").elementwise("Negative", {sizes}))});
  }
  pooling.pool = [&](Handle input) { return pooling.helper("pool", "AvgPool", input); };
  const Handle mean = mean_over_windows(pooling, named(emitter, "power").with("x2", power).elementwise("Power", {x}));
  return named(emitter, "")
      .with("x2", 1 / power)
      .elementwise("Power", {named(emitter, "sum").scaled(mean, pooling.elements())});
}

// Sizes that None leaves open: the other axes one element each, or the sizes as they are.
Handle emit_adaptive(const Attributes& a, Json::Object config, KerasEmitter& emitter, const std::string& reduction) {
  SymbolicShape sizes = a.open_integers("output_size");
  const SymbolicShape spatial = spatial_sizes(a, emitter.input_shapes()[0], sizes.size());
  std::vector<std::int64_t> reduced;
  bool is_open = false;
  const std::int64_t first = a.text("data_format") == "channels_last" ? 1 : 2;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == Size(1)) reduced.push_back(static_cast<std::int64_t>(i) + first);
    if (sizes[i] == Size(kNone)) sizes[i] = spatial[i];
    is_open = is_open || sizes[i].is_open();
  }
  if (!is_open) {
    config.set("output_size", Json::array(*fixed(sizes)));
    return emitter.main(std::move(config), {emitter.input(0)}).first();
  }
  std::vector<std::size_t> changed;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] != spatial[i]) changed.push_back(i);
  if (std::ranges::all_of(changed, [&](std::size_t i) { return sizes[i] == Size(1); }))
    return named(emitter, "").reduce(reduction, emitter.input(0), reduced);
  // One axis after the other; the order makes no difference to means and maxima.
  OpenSizes open(emitter, "window_");
  Handle x = emitter.input(0);
  for (const std::size_t i : changed) {
    const std::string suffix = i == changed.back() ? "" : "axis" + std::to_string(i);
    x = (reduction == "Max" ? window_maxima : window_means)(emitter, open, x, first + static_cast<std::int64_t>(i),
                                                            sizes[i], suffix);
  }
  return x;
}

KerasEmitter::Results lower_adaptive(const Attributes& a, Json::Object config, KerasEmitter& emitter,
                                     const std::string& reduction) {
  const Handle values = emit_adaptive(a, std::move(config), emitter, reduction);
  if (!wants_places(a, emitter)) return values;
  return std::vector<Handle>{values, emit_adaptive_places(a, emitter)};
}

void lift(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>&) {
  const Json* padding = config.find("padding");
  if (!padding) throw MalformedFile("its configuration has no \"padding\"");
  attributes.set("padding", padding->as_string());
  config.erase("padding");
}

// None is the window's size; Keras writes it out, which `lower` does.
Spelling strides(std::size_t axes) {
  Spelling result = spelling::integers(axes);
  result.to_keras = [to = result.to_keras](const AttributeValue& value) {
    return std::holds_alternative<std::monostate>(value) ? Json() : to(value);
  };
  result.from_keras = [from = result.from_keras](const Json& json) {
    return json.is_null() ? AttributeValue{} : from(json);
  };
  return result;
}

// Examples of inputs: with axes of different sizes, and of 9 elements, on which Keras's backends agree about `same`.
Shape volume(std::size_t axes) {
  Shape shape(axes + 2, 4);
  std::iota(shape.begin(), shape.end() - 1, 5);
  shape[0] = 2;
  return shape;
}
Shape evenly(std::size_t axes) {
  Shape shape(axes + 2, 9);
  shape.front() = 2;
  shape.back() = 4;
  return shape;
}

KerasMapping pooling(const std::string& type, const std::string& class_name, std::size_t axes,
                     OverWindows over_windows) {
  KerasMapping mapping{.type = type + torch_suffix(axes), .class_name = class_name + keras_suffix(axes)};
  mapping.attributes = {
      {"kernel_size", "pool_size", spelling::integers(axes)},
      {"stride", "strides", strides(axes)},
      {"data_format", "data_format", spelling::text()},
  };
  mapping.lower = lower_pooling(over_windows);
  mapping.lift = lift;
  if (class_name.starts_with("Average"))  // sums of a window overflow
    mapping.of_integers = [](const Attributes&, DType dtype) {
      return size_of(dtype) < 4 ? OfIntegers::NotKnown : OfIntegers::AsFloats;
    };
  const Shape image = volume(axes);
  mapping.samples = {
      {"valid", {{"pool_size", 2}}, {image}},
      {"strides and padding", {{"pool_size", 3}, {"strides", 2}, {"padding", "same"}}, {evenly(axes)}},
      {"channels_first", {{"pool_size", 3}, {"strides", 1}, {"data_format", "channels_first"}}, {image}},
  };
  return mapping;
}

// The same as a function, whose None for the layout is Keras's own.
KerasMapping pooling_function(const std::string& type, const std::string& class_name, std::size_t axes,
                              OverWindows over_windows) {
  KerasMapping mapping = read_only(pooling(type, "", axes, over_windows));
  mapping.class_name = class_name;
  mapping.module = kNN;
  mapping.call = {"inputs"};
  mapping.of_integers = not_of_integers;
  mapping.accepts = [axes](const std::vector<SymbolicShape>& inputs) { return inputs.at(0).size() == axes + 2; };
  mapping.lift = [](Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    if (const Json* format = config.find("data_format"); !format || format->is_null())
      config.set("data_format", "channels_last");
    lift(config, attributes, inputs);
  };
  for (KerasSample& sample : mapping.samples) sample.what += ", " + std::to_string(axes) + " axes";
  return mapping;
}

KerasMapping global_pooling(const std::string& type, const std::string& class_name, std::size_t axes) {
  KerasMapping mapping{.type = type + torch_suffix(axes), .class_name = "Global" + class_name + keras_suffix(axes)};
  mapping.attributes = {
      {"keepdims", "keepdims", spelling::boolean()},
      {"data_format", "data_format", spelling::text()},
  };
  const std::vector<std::int64_t> single(axes, 1);
  mapping.fits = [single](const Attributes& a, const std::vector<SymbolicShape>&) {
    return a.integers("output_size") == single && !(a.contains("return_indices") && a.boolean("return_indices"));
  };
  mapping.derive = [single](Attributes& attributes, const std::vector<SymbolicShape>&) {
    attributes.set("output_size", single);
  };
  if (mapping.class_name == "GlobalAveragePooling1D") mapping.call = {"inputs", "mask"};
  mapping.samples = {{"plain", {}, {volume(axes)}},
                     {"keepdims", {{"keepdims", true}}, {volume(axes)}},
                     {"channels_first", {{"data_format", "channels_first"}}, {volume(axes)}}};
  return mapping;
}

KerasMapping adaptive_pooling(const std::string& type, const std::string& class_name, std::size_t axes,
                              const std::string& reduction) {
  KerasMapping mapping{.type = type + torch_suffix(axes), .class_name = "Adaptive" + class_name + keras_suffix(axes)};
  mapping.attributes = {
      {"output_size", "output_size", spelling::integers(axes)},
      {"data_format", "data_format", spelling::text()},
  };
  mapping.samples = {{"sizes", {{"output_size", 3}}, {volume(axes)}},
                     {"channels_first", {{"output_size", 3}, {"data_format", "channels_first"}}, {volume(axes)}}};
  mapping.lower = [reduction](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    return lower_adaptive(a, std::move(config), emitter, reduction);
  };
  mapping.open = {"output_size"};
  return mapping;
}

// Windows of open sizes, which are the whole of their axes.
KerasMapping over_whole_axes(const std::string& type, std::size_t axes, const std::string& reduction) {
  KerasMapping mapping{.type = type + torch_suffix(axes), .class_name = "", .written_only = true};
  mapping.open = {"kernel_size", "stride"};
  mapping.lower = [reduction](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const std::vector<OpenWindow> windows = open_windows_of(a);
    const SymbolicShape spatial = spatial_sizes(a, emitter.input_shapes()[0], windows.size());
    const std::int64_t first = a.text("data_format") == "channels_last" ? 1 : 2;
    const bool is_plain = margins_of(a) == std::vector<Margins>(windows.size()) && !wants_places(a, emitter) &&
                          !(a.contains("divisor_override") && !a.is_none("divisor_override"));
    std::vector<std::int64_t> whole;
    for (std::size_t i = 0; i < windows.size(); ++i) {
      const OpenWindow& window = windows[i];
      if (window.kernel == Size(1) && window.stride == Size(1)) continue;
      if (window.extent() != spatial[i] || window.dilation != Size(1) || !is_plain)
        throw Unsupported("its window of " + window.kernel.str() + " is open, and not all of an axis of " +
                          spatial[i].str() + "; LoadOptions::fix_sizes may help");
      whole.push_back(static_cast<std::int64_t>(i) + first);
    }
    return named(emitter, "").reduce(reduction, emitter.input(0), whole);
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    result.push_back(pooling("MaxPool", "MaxPooling", axes, maximum_over_windows));
    result.push_back(pooling("AvgPool", "AveragePooling", axes, mean_over_windows));
    result.push_back(pooling_function("MaxPool", "MaxPool", axes, maximum_over_windows));
    result.push_back(pooling_function("AvgPool", "AveragePool", axes, mean_over_windows));
    result.push_back(over_whole_axes("MaxPool", axes, "Max"));
    result.push_back(over_whole_axes("AvgPool", axes, "Mean"));
    result.push_back(
        {.type = "LPPool" + torch_suffix(axes), .class_name = "", .lower = lower_power, .written_only = true});
    for (const auto& [type, class_name, reduction] : {std::array{"AdaptiveAvgPool", "AveragePooling", "Mean"},
                                                      std::array{"AdaptiveMaxPool", "MaxPooling", "Max"}}) {
      result.push_back(global_pooling(type, class_name, axes));
      result.push_back(adaptive_pooling(type, class_name, axes, reduction));
    }
  }
  return result;
}

}  // namespace h5bridge::pooling
