#include <numeric>

#include "h5bridge/error.h"
#include "layers/layer_type.h"
#include "layers/window.h"

namespace h5bridge::pooling {
namespace {

void check(const Attributes& a) {
  for (const char* name : {"kernel_size", "stride"}) check_at_least(a, name, 1);
  check_at_least(a, "padding", 0);
  if (has_padding_word(a, "same") || has_padding_word(a, "valid")) return;
  const auto& padding = a.integers("padding");
  const auto& kernel = a.integers("kernel_size");
  for (std::size_t i = 0; i < padding.size(); ++i)
    if (2 * padding[i] > kernel[i])
      throw MalformedFile("\"padding\" is " + std::to_string(padding[i]) + ", expected at most half of the window's " + std::to_string(kernel[i]));
}

std::vector<SymbolicShape> shapes(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const std::vector<Window> windows = windows_of(a);
  SymbolicShape spatial = spatial_sizes(a, input, windows.size());
  const bool same = has_padding_word(a, "same");
  for (std::size_t i = 0; i < windows.size(); ++i)
    spatial[i] = same ? windows_in_same(spatial[i], windows[i]) : windows_in(spatial[i], windows[i], margins_of(a)[i], a.boolean("ceil_mode"));
  return {with_channels(a, input[0], input[channel_axis(a, static_cast<std::int64_t>(input.size()))], spatial)};
}

// Spatial sizes 9, 10, 11, ..., so that windows of 2 fit evenly into some and not into others.
Shape image(std::int64_t batch, std::size_t axes) {
  Shape shape(axes + 2, 3);
  shape[0] = batch;
  std::iota(shape.begin() + 2, shape.end(), 9);
  return shape;
}

LayerType pooling(const std::string& name, std::size_t axes, const std::string& summary) {
  LayerType type;
  type.name = name + torch_suffix(axes);
  type.summary = summary;
  type.source = "torch/nn/modules/pooling.py; keras/src/layers/pooling/base_pooling.py";
  type.attributes = {
      required_tuple("kernel_size", axes, "size of the window"),
      or_none(tuple("stride", axes, 1, "step of the window; None: the window's size")),
      padding_attribute(axes, {"same", "valid"}, "elements added at both ends; \"same\" as Keras has it"),
      boolean("ceil_mode", false, "whether a window that ends outside counts"),
      data_format(),
  };
  type.shapes = shapes;
  type.layout = follows_data_format();
  type.check = check;
  const auto sample = [&](const std::string& what, Json::Object attributes, std::int64_t batch = 2) {
    type.samples.push_back({what, std::move(attributes), {image(batch, axes)}});
  };
  sample("plain", {{"kernel_size", 2}}, 3);
  sample("overlapping", {{"kernel_size", 3}, {"stride", 2}}, 1);
  sample("gaps", {{"kernel_size", 2}, {"stride", 3}});
  sample("same", {{"kernel_size", 3}, {"stride", 2}, {"padding", "same"}});
  sample("valid", {{"kernel_size", 3}, {"stride", 2}, {"padding", "valid"}});
  sample("padding", {{"kernel_size", 3}, {"stride", 2}, {"padding", 1}});
  return type;
}

LayerType max_pooling(std::size_t axes) {
  LayerType type = pooling("MaxPool", axes, "maximum over windows");
  type.attributes.push_back(tuple("dilation", axes, 1, "distance of the window's elements"));
  type.attributes.push_back(boolean("return_indices", false, "whether the places of the maxima are a second output"));
  const auto check_pooling = type.check;
  type.check = [check_pooling](const Attributes& a) {
    check_pooling(a);
    check_at_least(a, "dilation", 1);
    if (a.boolean("return_indices")) throw Unsupported("return_indices is not supported");
  };
  type.samples.push_back({"ceil_mode", {{"kernel_size", 3}, {"stride", 2}, {"ceil_mode", true}}, {image(2, axes)}});
  type.samples.push_back({"ceil_mode with gaps", {{"kernel_size", 2}, {"stride", 3}, {"ceil_mode", true}}, {image(2, axes)}});
  type.samples.push_back({"ceil_mode and padding", {{"kernel_size", 3}, {"stride", 2}, {"padding", 1}, {"ceil_mode", true}}, {image(2, axes)}});
  return type;
}

LayerType average_pooling(std::size_t axes) {
  LayerType type = pooling("AvgPool", axes, "mean over windows");
  type.attributes.push_back(boolean("count_include_pad", true, "whether added zeros count; with padding \"same\" they never do"));
  if (axes > 1) type.attributes.push_back(or_none(integer("divisor_override", 1, "what sums are divided by instead of the window's size")));
  return type;
}

// Global pooling is the adaptive one to a single element; to other sizes Keras has no counterpart that takes any input.
LayerType adaptive_pooling(const std::string& name, std::size_t axes) {
  LayerType type;
  type.name = name + torch_suffix(axes);
  type.summary = "pooling to a given size, whatever the input's";
  type.source = "torch/nn/modules/pooling.py; keras/src/layers/pooling/base_global_pooling.py";
  type.attributes = {
      required_tuple("output_size", axes, "size of the output"),
      boolean("keepdims", true, "Keras's: whether spatial axes of size 1 stay"),
      data_format(),
  };
  type.check = [](const Attributes& a) {
    check_at_least(a, "output_size", 1);
    for (const std::int64_t size : a.integers("output_size"))
      if (size != 1 && !a.boolean("keepdims")) throw MalformedFile("\"keepdims\" is false, but the output's size is not 1");
  };
  type.shapes = [axes](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const SymbolicShape& input = inputs.at(0);
    spatial_sizes(a, input, axes);  // the number of axes
    const Size& channels = input[channel_axis(a, static_cast<std::int64_t>(input.size()))];
    if (!a.boolean("keepdims")) return {{input[0], channels}};
    const auto& size = a.integers("output_size");
    return {with_channels(a, input[0], channels, SymbolicShape(size.begin(), size.end()))};
  };
  type.layout = follows_data_format();
  type.samples = {
      {"global", {{"output_size", 1}}, {image(2, axes)}},
      {"global without axes", {{"output_size", 1}, {"keepdims", false}}, {image(3, axes)}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  std::vector<LayerType> types;
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    types.push_back(max_pooling(axes));
    types.push_back(average_pooling(axes));
    types.push_back(adaptive_pooling("AdaptiveAvgPool", axes));
    types.push_back(adaptive_pooling("AdaptiveMaxPool", axes));
  }
  return types;
}

}  // namespace h5bridge::pooling
