#include <cmath>
#include <limits>
#include <numeric>

#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"

namespace h5bridge::pooling {
namespace {

void check_windows(const Attributes& a) {
  for (const char* name : {"kernel_size", "stride"}) check_at_least(a, name, 1);
}

void check_padding(const Attributes& a) {
  check_at_least(a, "padding", 0);
  if (has_padding_word(a, "same") || has_padding_word(a, "valid")) return;
  const auto& padding = a.integers("padding");
  const auto windows = windows_of(a);
  for (std::size_t i = 0; i < padding.size(); ++i)
    if (2 * padding[i] > windows[i].extent())
      throw MalformedFile("\"padding\" is " + std::to_string(padding[i]) + ", expected at most half of the window's " +
                          std::to_string(windows[i].extent()));
}

// Two checks after each other.
std::function<void(const Attributes&)> both(std::function<void(const Attributes&)> first,
                                            std::function<void(const Attributes&)> second) {
  return [=](const Attributes& a) {
    first(a);
    second(a);
  };
}

std::vector<SymbolicShape> shapes(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const SymbolicShape spatial = spatial_sizes(a, input, a.open_integers("kernel_size").size());
  return {with_channels(a, input[0], input[channel_axis(a, static_cast<std::int64_t>(input.size()))],
                        window_counts(a, spatial, a.boolean("ceil_mode")))};
}

// The maxima and, if asked for, their places.
decltype(LayerType::shapes) with_places(decltype(LayerType::shapes) values) {
  return [values = std::move(values)](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    std::vector<SymbolicShape> result = values(a, inputs);
    if (a.boolean("return_indices")) result.push_back(result[0]);
    return result;
  };
}

AttributeSpec return_indices() {
  return boolean("return_indices", false,
                 "whether the places of the maxima, counted over the input's spatial axes, are a second output");
}

// Spatial sizes 9, 10, 11, ..., so that windows of 2 fit evenly into some and not into others.
Shape image(std::int64_t batch, std::size_t axes) {
  Shape shape(axes + 2, 3);
  shape[0] = batch;
  std::iota(shape.begin() + 2, shape.end(), 9);
  return shape;
}

// A window that slides may do what an adaptive one does; a mean is never a maximum.
Choice choice_of(const std::string& name) {
  for (const char* kind : {"Avg", "Max"})
    if (name.find(kind) != std::string::npos) return {"pooling", kind};
  return {};
}

// What all windows that slide have in common.
LayerType windowed(const std::string& name, std::size_t axes, const std::string& summary) {
  LayerType type;
  type.name = name + torch_suffix(axes);
  type.keeps_rows_apart = LayerType::always;
  if (name.find("Avg") != std::string::npos) type.integers = Integers::BecomeFloats;
  type.choice = choice_of(name);
  type.summary = summary;
  type.source = "torch/nn/modules/pooling.py; keras/src/layers/pooling/base_pooling.py";
  type.attributes = {
      required_tuple("kernel_size", axes, "size of the window"),
      or_none(tuple("stride", axes, 1, "step of the window; None: the window's size")),
      boolean("ceil_mode", false, "whether a window that ends outside counts"),
      data_format(),
  };
  type.check = check_windows;
  type.shapes = shapes;
  type.layout = follows_data_format();
  return type;
}

LayerType pooling(const std::string& name, std::size_t axes, const std::string& summary) {
  LayerType type = windowed(name, axes, summary);
  type.attributes.insert(
      type.attributes.begin() + 2,
      padding_attribute(axes, {"same", "valid"}, "elements added at both ends; \"same\" as Keras has it"));
  type.check = both(type.check, check_padding);
  return type;
}

// Samples of one type, all of its attributes besides kernel_size and stride by name.
class Samples {
 public:
  Samples(LayerType& type, std::size_t axes, Json::Object common = {})
      : type_(type), axes_(axes), common_(std::move(common)) {}
  void add(const std::string& what, Json::Object attributes, std::int64_t batch = 2, bool in_keras = true) const {
    for (const auto& [name, value] : common_) attributes.set(name, value);
    type_.samples.push_back({what, std::move(attributes), {image(batch, axes_)}, in_keras});
  }
  std::size_t axes() const { return axes_; }
  /// Different numbers for different axes.
  Json uneven(std::int64_t first) const {
    Json::Array result;
    for (std::size_t i = 0; i < axes_; ++i) result.push_back(first + static_cast<std::int64_t>(i) % 2);
    return result;
  }

 private:
  LayerType& type_;
  std::size_t axes_;
  Json::Object common_;
};

void add_window_samples(const Samples& samples) {
  samples.add("plain", {{"kernel_size", 2}}, 3);
  samples.add("overlapping", {{"kernel_size", 3}, {"stride", 2}}, 1);
  samples.add("gaps", {{"kernel_size", 2}, {"stride", 3}});
  samples.add("a window of open size", {{"kernel_size", "batch + 1"}, {"stride", 2}}, 2, false);
  samples.add("uneven", {{"kernel_size", samples.uneven(2)}, {"stride", samples.uneven(1)}});
  samples.add("ceil_mode", {{"kernel_size", 3}, {"stride", 2}, {"ceil_mode", true}});
  samples.add("ceil_mode with gaps", {{"kernel_size", 2}, {"stride", 3}, {"ceil_mode", true}});
  if (samples.axes() < 3)  // PyTorch refuses it for volumes
    samples.add("ceil_mode, larger than the image", {{"kernel_size", 11}, {"stride", 12}, {"ceil_mode", true}});
}

void add_padding_samples(const Samples& samples) {
  samples.add("same", {{"kernel_size", 3}, {"stride", 2}, {"padding", "same"}});
  samples.add("valid", {{"kernel_size", 3}, {"stride", 2}, {"padding", "valid"}});
  samples.add("padding", {{"kernel_size", 3}, {"stride", 2}, {"padding", 1}});
  samples.add("uneven padding", {{"kernel_size", samples.uneven(3)}, {"stride", 2}, {"padding", samples.uneven(0)}});
  samples.add("ceil_mode and padding", {{"kernel_size", 3}, {"stride", 2}, {"padding", 1}, {"ceil_mode", true}});
  samples.add("ceil_mode, gaps and padding", {{"kernel_size", 2}, {"stride", 4}, {"padding", 1}, {"ceil_mode", true}});
}

LayerType max_pooling(std::size_t axes) {
  LayerType type = pooling("MaxPool", axes, "maximum over windows");
  type.attributes.push_back(tuple("dilation", axes, 1, "distance of the window's elements"));
  type.attributes.push_back(return_indices());
  type.shapes = with_places(shapes);
  type.dtypes = {keeps(), gives(DType::Int64)};
  type.check = both(type.check, [](const Attributes& a) {
    check_at_least(a, "dilation", 1);
    if (a.boolean("return_indices") && has_padding_word(a, "same"))
      throw MalformedFile("\"return_indices\" is PyTorch's, but the padding \"same\" Keras's");
  });
  const Samples samples(type, axes);
  add_window_samples(samples);
  add_padding_samples(samples);
  samples.add("dilation", {{"kernel_size", 2}, {"stride", 1}, {"dilation", 3}});
  samples.add("uneven dilation and padding",
              {{"kernel_size", 3}, {"stride", 2}, {"dilation", samples.uneven(1)}, {"padding", 1}});
  samples.add("dilation and ceil_mode",
              {{"kernel_size", 3}, {"stride", 3}, {"dilation", 2}, {"padding", 1}, {"ceil_mode", true}});
  const Samples with_indices(type, axes, {{"return_indices", true}});
  with_indices.add("places", {{"kernel_size", 2}}, 3);
  with_indices.add("places, of every other element", {{"kernel_size", 1}, {"stride", 2}}, 1);
  with_indices.add("places, overlapping with padding", {{"kernel_size", 3}, {"stride", 2}, {"padding", 1}}, 1);
  with_indices.add("places, uneven", {{"kernel_size", samples.uneven(3)},
                                      {"stride", samples.uneven(1)},
                                      {"dilation", samples.uneven(1)},
                                      {"padding", samples.uneven(0)},
                                      {"ceil_mode", true}});
  return type;
}

LayerType average_pooling(std::size_t axes) {
  LayerType type = pooling("AvgPool", axes, "mean over windows");
  type.attributes.push_back(
      boolean("count_include_pad", true, "whether added zeros count; with padding \"same\" they never do"));
  if (axes > 1) {
    type.attributes.push_back(
        or_none(integer("divisor_override", 1, "what sums are divided by instead of the window's size")));
    type.check = both(type.check, [](const Attributes& a) {
      if (!a.is_none("divisor_override") && a.integer("divisor_override") == 0)
        throw MalformedFile("\"divisor_override\" is 0");
    });
  }
  // With "same", sums are divided by the number of what is there.
  type.dtypes = DTypeRules::Choice([](const Attributes& a) -> std::vector<DTypeRule> {
    return {has_padding_word(a, "same") ? keeps().at_least_float() : keeps()};
  });
  const Samples samples(type, axes);
  add_window_samples(samples);
  add_padding_samples(samples);
  const Samples without_padding(type, axes, {{"count_include_pad", false}});
  without_padding.add("padding that does not count", {{"kernel_size", 3}, {"stride", 2}, {"padding", 1}});
  without_padding.add("uneven padding that does not count",
                      {{"kernel_size", samples.uneven(3)}, {"stride", 1}, {"padding", samples.uneven(0)}});
  without_padding.add("ceil_mode and padding that does not count",
                      {{"kernel_size", 3}, {"stride", 2}, {"padding", 1}, {"ceil_mode", true}});
  if (axes > 1) {
    samples.add("divisor_override", {{"kernel_size", 2}, {"divisor_override", 3}});
    samples.add("divisor_override, ceil_mode and padding",
                {{"kernel_size", 3}, {"stride", 2}, {"padding", 1}, {"ceil_mode", true}, {"divisor_override", -5}});
  }
  return type;
}

LayerType power_pooling(std::size_t axes) {
  LayerType type = windowed("LPPool", axes, "root of the sum of powers over windows");
  type.source = "torch/nn/modules/pooling.py";
  type.attributes.insert(
      type.attributes.begin(),
      required_number("norm_type", "the power; infinity: the largest absolute value, minus infinity: the smallest"));
  type.check = both(type.check, [](const Attributes& a) {
    if (a.number("norm_type") == 0 || std::isnan(a.number("norm_type")))
      throw MalformedFile("\"norm_type\" is neither a power nor infinite");
  });
  type.dtypes = DTypeRules::Choice([](const Attributes& a) -> std::vector<DTypeRule> {
    return {std::isinf(a.number("norm_type")) ? keeps() : keeps().at_least_float()};
  });
  add_window_samples(Samples(type, axes, {{"norm_type", 2.0}}));
  const double infinity = std::numeric_limits<double>::infinity();
  const Samples samples(type, axes);
  for (const double power : {1.0, 4.0, -2.0, infinity, -infinity})
    samples.add("power of " + Json(power).dump(),
                {{"norm_type", power}, {"kernel_size", 3}, {"stride", 2}, {"ceil_mode", true}});
  return type;
}

// Global pooling is the adaptive one to a single element.
LayerType adaptive_pooling(const std::string& name, std::size_t axes) {
  LayerType type;
  type.name = name + torch_suffix(axes);
  type.keeps_rows_apart = LayerType::always;
  if (name.find("Avg") != std::string::npos) type.integers = Integers::BecomeFloats;
  type.choice = choice_of(name);
  type.summary = "pooling to a given size, whatever the input's";
  type.source =
      "torch/nn/modules/pooling.py; keras/src/layers/pooling/base_global_pooling.py, base_adaptive_pooling.py";
  if (type.name == "AdaptiveAvgPool1d") type.operands.push_back(mask_of("input"));  // of steps that count (Keras's)
  type.attributes = {
      required_optional_integers("output_size", axes, "size of the output; None: the input's"),
      boolean("keepdims", true, "Keras's: whether spatial axes of size 1 stay"),
      data_format(),
  };
  const bool has_places = name == "AdaptiveMaxPool";
  if (has_places) type.attributes.push_back(return_indices());
  type.check = [](const Attributes& a) {
    for (const std::int64_t size : a.integers("output_size")) {
      if (size != kNone && size < 1)
        throw MalformedFile("\"output_size\" is " + std::to_string(size) + ", expected at least 1");
      if (size != 1 && !a.boolean("keepdims"))
        throw MalformedFile("\"keepdims\" is false, but the output's size is not 1");
    }
    if (a.contains("return_indices") && a.boolean("return_indices") && !a.boolean("keepdims"))
      throw MalformedFile("\"return_indices\" is PyTorch's, but dropping axes (\"keepdims\") Keras's");
  };
  type.shapes = [axes](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const SymbolicShape& input = inputs.at(0);
    SymbolicShape spatial = spatial_sizes(a, input, axes);
    const Size& channels = input[channel_axis(a, static_cast<std::int64_t>(input.size()))];
    if (!a.boolean("keepdims")) return {{input[0], channels}};
    const SymbolicShape wanted = a.open_integers("output_size");
    for (std::size_t i = 0; i < axes; ++i)
      if (wanted[i] != Size(kNone)) spatial[i] = wanted[i];
    return {with_channels(a, input[0], channels, spatial)};
  };
  if (has_places) type.shapes = with_places(type.shapes);
  if (has_places) type.dtypes = {keeps(), gives(DType::Int64)};
  type.layout = follows_data_format();
  const Samples samples(type, axes);
  samples.add("global", {{"output_size", 1}});
  samples.add("global without axes", {{"output_size", 1}, {"keepdims", false}}, 3);
  samples.add("to a size", {{"output_size", 4}}, 1);
  samples.add("to uneven sizes", {{"output_size", samples.uneven(5)}});
  samples.add("to an open size", {{"output_size", "2*batch"}});
  samples.add("to more than there is", {{"output_size", samples.uneven(13)}});
  if (axes > 1) {
    Json::Array partly(axes, Json(4));
    partly[0] = nullptr;
    samples.add("one axis kept", {{"output_size", partly}});
    if (has_places) samples.add("places, one axis kept", {{"output_size", partly}, {"return_indices", true}});
  }
  if (has_places) {
    samples.add("places, global", {{"output_size", 1}, {"return_indices", true}}, 3);
    samples.add("places, to uneven sizes", {{"output_size", samples.uneven(5)}, {"return_indices", true}}, 1);
    samples.add("places, to more than there is", {{"output_size", samples.uneven(13)}, {"return_indices", true}});
  }
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  std::vector<LayerType> types;
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    types.push_back(max_pooling(axes));
    types.push_back(average_pooling(axes));
    types.push_back(power_pooling(axes));
    types.push_back(adaptive_pooling("AdaptiveAvgPool", axes));
    types.push_back(adaptive_pooling("AdaptiveMaxPool", axes));
  }
  return types;
}

}  // namespace h5bridge::pooling
