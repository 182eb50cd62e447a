#include "facets/spec/kernel.h"

namespace h5bridge::separable_convolution {
namespace {

std::vector<SymbolicShape> shapes(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const SymbolicShape spatial = spatial_sizes(a, input, a.open_integers("kernel_size").size());
  check_input_channels(a, input);
  return {with_channels(a, input[0], a.integer("out_channels"), window_counts(a, spatial))};
}

// Those of two convolutions in a row, the second of which has the bias.
std::vector<ParameterSpec> parameters(const Attributes& a) {
  const auto& kernel = a.integers("kernel_size");
  const std::int64_t between = a.integer("in_channels") * a.integer("depth_multiplier");
  Shape depthwise{between, 1};
  depthwise.insert(depthwise.end(), kernel.begin(), kernel.end());
  Shape pointwise(kernel.size() + 2, 1);
  pointwise[0] = a.integer("out_channels");
  pointwise[1] = between;
  std::vector<ParameterSpec> result{{"depthwise.weight", depthwise}, {"pointwise.weight", pointwise}};
  if (a.boolean("bias")) result.push_back({"pointwise.bias", {a.integer("out_channels")}});
  return result;
}

void add_samples(LayerType& type, std::size_t axes) {
  const auto sample = [&](const std::string& what, Json::Object more, std::int64_t batch = 2) {
    Json::Object attributes{{"in_channels", 3}, {"out_channels", 5}, {"kernel_size", 3}};
    for (const auto& [name, value] : more) attributes.set(name, value);
    type.samples.push_back({what, attributes, {sample_image(batch, 3, axes)}});
  };
  sample("plain", {}, 3);
  sample("depth_multiplier", {{"depth_multiplier", 2}, {"bias", false}}, 1);
  sample("strides", {{"stride", 2}, {"activation", "relu"}});
  sample("same", {{"padding", "same"}, {"kernel_size", 4}, {"depth_multiplier", 2}});
  sample("same with strides", {{"padding", "same"}, {"stride", 2}});
  sample("same with dilation", {{"padding", "same"}, {"dilation", 2}});
  sample("strides and dilation", {{"stride", 2}, {"dilation", 3}, {"depth_multiplier", 3}});
}

LayerType separable(std::size_t axes) {
  LayerType type;
  type.name = "SeparableConv" + keras_suffix(axes);
  type.integers = Integers::BecomeFloats;
  type.summary = "Keras's depthwise convolution and a pointwise one after it, over " + std::to_string(axes) +
                 (axes == 1 ? " spatial axis" : " spatial axes");
  type.source = "keras/src/layers/convolutional/base_separable_conv.py";
  type.attributes = {
      required_integer("in_channels", "channels of the input"),
      required_integer("out_channels", "channels of the output"),
      required_tuple("kernel_size", axes, "size of the depthwise window"),
      tuple("stride", axes, 1, "step of the depthwise window"),
      text("padding", "valid", {"same", "valid"}, "as Keras has it"),
      tuple("dilation", axes, 1, "distance of the depthwise window's elements"),
      integer("depth_multiplier", 1, "channels that each of the input's becomes between the two"),
      boolean("bias", true, "whether a bias is added in the end"),
      data_format(),
      fused_activation(),
      activation_axis(),
  };
  type.parameters = parameters;
  type.shapes = shapes;
  type.layout = follows_data_format();
  type.check = [](const Attributes& a) {
    check_kernel(a);
    check_at_least(a, "depth_multiplier", 1);
  };
  add_samples(type, axes);
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {separable(1), separable(2)}; }

}  // namespace h5bridge::separable_convolution
