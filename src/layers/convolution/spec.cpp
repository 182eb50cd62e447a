#include <numeric>

#include "h5bridge/error.h"
#include "layers/layer_type.h"
#include "layers/window.h"

namespace h5bridge::convolution {
namespace {

void check(const Attributes& a) {
  for (const char* name : {"in_channels", "out_channels", "groups", "kernel_size", "stride", "dilation"}) check_at_least(a, name, 1);
  check_at_least(a, "padding", 0);
  for (const char* name : {"in_channels", "out_channels"})
    if (a.integer(name) % a.integer("groups") != 0)
      throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(a.integer(name)) + ", which " + std::to_string(a.integer("groups")) + " groups do not divide");
}

std::vector<SymbolicShape> shapes(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const std::vector<Window> windows = windows_of(a);
  SymbolicShape spatial = spatial_sizes(a, input, windows.size());
  const Size& channels = input[channel_axis(a, static_cast<std::int64_t>(input.size()))];
  if (channels != Size(a.integer("in_channels")))
    throw MalformedFile("its input has " + channels.str() + " channels (shape " + to_string(input) + "), expected " + std::to_string(a.integer("in_channels")));
  const bool same = has_padding_word(a, "same");
  for (std::size_t i = 0; i < windows.size(); ++i)
    spatial[i] = same ? windows_in_same(spatial[i], windows[i]) : windows_in(spatial[i], windows[i], margins_of(a)[i]);
  return {with_channels(a, input[0], a.integer("out_channels"), spatial)};
}

std::vector<ParameterSpec> parameters(const Attributes& a) {
  Shape weight{a.integer("out_channels"), a.integer("in_channels") / a.integer("groups")};
  const auto& kernel = a.integers("kernel_size");
  weight.insert(weight.end(), kernel.begin(), kernel.end());
  std::vector<ParameterSpec> result{{"weight", weight}};
  if (a.boolean("bias")) result.push_back({"bias", {a.integer("out_channels")}});
  return result;
}

// An input of `channels` channels whose spatial sizes are 9, 10, 11, ...: distinct and odd.
Shape image(std::int64_t batch, std::int64_t channels, std::size_t axes) {
  Shape shape(axes + 2);
  shape[0] = batch;
  shape[1] = channels;
  std::iota(shape.begin() + 2, shape.end(), 9);
  return shape;
}

LayerType convolution(std::size_t axes) {
  LayerType type;
  type.name = "Conv" + torch_suffix(axes);
  type.summary = "convolution over " + std::to_string(axes) + (axes == 1 ? " spatial axis" : " spatial axes");
  type.source = "torch/nn/modules/conv.py; keras/src/layers/convolutional/base_conv.py";
  type.attributes = {
      required_integer("in_channels", "channels of the input"),
      required_integer("out_channels", "channels of the output"),
      required_tuple("kernel_size", axes, "size of the window"),
      tuple("stride", axes, 1, "step of the window"),
      padding_attribute(axes, {"same", "valid"}, "elements added at both ends; \"same\" as Keras has it, also with strides"),
      tuple("dilation", axes, 1, "distance of the window's elements"),
      integer("groups", 1, "groups of channels that do not mix"),
      boolean("bias", true, "whether a bias is added"),
      text("padding_mode", "zeros", {"zeros", "reflect", "replicate", "circular"}, "what is added at the ends"),
      data_format(),
      fused_activation(),
  };
  type.parameters = parameters;
  type.shapes = shapes;
  type.layout = follows_data_format();
  type.check = check;
  const auto sample = [&](const std::string& what, Json::Object more, std::int64_t batch = 2) {
    Json::Object attributes{{"in_channels", 4}, {"out_channels", 6}, {"kernel_size", 3}};
    for (const auto& [name, value] : more) attributes.set(name, value);
    type.samples.push_back({what, attributes, {image(batch, attributes.at("in_channels").as_integer(), axes)}});
  };
  sample("plain", {}, 3);
  sample("batch 1, window 1", {{"kernel_size", 1}}, 1);
  sample("equal extents", {{"in_channels", 3}, {"out_channels", 3}});
  sample("strides", {{"stride", 2}});
  sample("padding", {{"padding", 1}});
  sample("strides and padding", {{"stride", 2}, {"padding", 2}, {"kernel_size", 5}});
  sample("same", {{"padding", "same"}, {"kernel_size", 4}});
  sample("same with strides", {{"padding", "same"}, {"stride", 2}});
  sample("valid", {{"padding", "valid"}});
  sample("dilation", {{"dilation", 2}});
  sample("groups", {{"groups", 2}});
  sample("without bias", {{"bias", false}});
  sample("fused activation", {{"activation", "relu"}});
  if (axes == 2) {
    sample("uneven window", {{"kernel_size", Json::Array{3, 2}}, {"stride", Json::Array{1, 2}}, {"padding", Json::Array{0, 1}}});
    sample("padding over many", {{"padding", Json::Array{2, 1}}, {"dilation", Json::Array{1, 2}}});
  }
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {convolution(1), convolution(2), convolution(3)}; }

}  // namespace h5bridge::convolution
