#include <algorithm>

#include "facets/spec/kernel.h"
#include "h5bridge/error.h"
#include "layers/transposed_convolution/function.h"
#include "model/checked.h"

namespace h5bridge::transposed_convolution {
namespace {

void check(const Attributes& a) {
  check_kernel(a);
  check_at_least(a, "padding", 0);
  check_at_least(a, "output_padding", 0);
  const bool word = std::holds_alternative<std::string>(a.at("padding"));
  if (a.is_none("output_padding")) {
    if (!word) throw MalformedFile("\"output_padding\" is null, which is for the paddings \"same\" and \"valid\"");
    return;
  }
  const std::vector<Window> windows = windows_of(a);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const std::int64_t found = a.integers("output_padding")[i];
    const std::int64_t limit = word ? windows[i].stride : std::max(windows[i].stride, windows[i].dilation);
    if (found >= limit)
      throw MalformedFile("\"output_padding\" is " + std::to_string(found) + ", expected less than " +
                          std::to_string(limit) + ", its stride");
  }
}

// What crops_of takes away at both ends together; integers may be open where no word is the padding.
SymbolicShape cropped_at_both_ends(const Attributes& a) {
  SymbolicShape result;
  if (std::holds_alternative<std::string>(a.at("padding"))) {
    for (const Margins& crop : crops_of(a)) result.push_back(crop.before + crop.after);
    return result;
  }
  const SymbolicShape padding = a.open_integers("padding"), added = a.open_integers("output_padding");
  for (std::size_t i = 0; i < padding.size(); ++i) result.push_back(padding[i] * Size(2) - added[i]);
  return result;
}

std::vector<SymbolicShape> shapes(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const std::vector<OpenWindow> windows = open_windows_of(a);
  const SymbolicShape crops = cropped_at_both_ends(a);
  SymbolicShape spatial = spatial_sizes(a, input, windows.size());
  check_input_channels(a, input);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const Size size = (spatial[i] - Size(1)) * windows[i].stride + windows[i].extent() - crops[i];
    if (size.value().value_or(1) < 1)
      throw MalformedFile("its padding leaves nothing of " + spatial[i].str() + " elements");
    spatial[i] = size;
  }
  return {with_channels(a, input[0], a.integer("out_channels"), spatial)};
}

void add_samples(LayerType& type, std::size_t axes) {
  const auto sample = [&](const std::string& what, Json::Object more, std::int64_t batch = 2) {
    Json::Object attributes{{"in_channels", 4}, {"out_channels", 6}, {"kernel_size", 3}};
    for (const auto& [name, value] : more) attributes.set(name, value);
    Shape input = sample_image(batch, attributes.at("in_channels").as_integer(), axes);
    for (std::size_t i = 0; i < axes; ++i) input[i + 2] -= 4;  // 5, 6, 7
    type.samples.push_back({what, attributes, {input}});
  };
  sample("plain", {}, 3);
  sample("batch 1, window 1", {{"kernel_size", 1}}, 1);
  sample("equal extents", {{"in_channels", 3}, {"out_channels", 3}, {"bias", false}});
  sample("upsampling", {{"kernel_size", 2}, {"stride", 2}});
  sample("upsampling, symmetric", {{"kernel_size", 4}, {"stride", 2}, {"padding", 1}});
  sample("upsampling, with a little more at the end", {{"stride", 2}, {"padding", 1}, {"output_padding", 1}});
  sample("padding", {{"stride", 2}, {"padding", 2}});
  sample("more at the end than padding", {{"stride", 3}, {"padding", 1}, {"output_padding", 2}});
  sample("gaps", {{"kernel_size", 2}, {"stride", 3}, {"activation", "relu"}});
  sample("dilation", {{"dilation", 2}, {"padding", 1}});
  sample("dilation with more at the end", {{"dilation", 2}, {"output_padding", 1}});
  sample("strides and dilation", {{"stride", 2}, {"dilation", 3}, {"padding", 1}, {"output_padding", 2}});
  sample("groups", {{"groups", 2}, {"stride", 2}, {"padding", 1}, {"output_padding", 1}});
  sample("groups without strides", {{"groups", 2}, {"bias", false}}, 1);
  sample("depthwise upsampling",
         {{"out_channels", 4}, {"groups", 4}, {"kernel_size", 4}, {"stride", 2}, {"padding", 1}});
  sample("groups with more padding than window",
         {{"groups", 2}, {"kernel_size", 2}, {"stride", 2}, {"padding", 2}, {"output_padding", 1}});
  const Json none;
  sample("valid", {{"padding", "valid"}, {"output_padding", none}, {"stride", 2}});
  sample("valid with gaps", {{"padding", "valid"}, {"output_padding", none}, {"stride", 3}, {"kernel_size", 2}});
  sample("valid with output_padding", {{"padding", "valid"}, {"output_padding", 1}, {"stride", 2}});
  sample("same", {{"padding", "same"}, {"output_padding", none}, {"kernel_size", 4}, {"stride", 2}});
  sample("same, uneven", {{"padding", "same"}, {"output_padding", none}, {"stride", 2}, {"activation", "relu"}}, 1);
  sample("same with gaps", {{"padding", "same"}, {"output_padding", none}, {"kernel_size", 2}, {"stride", 3}});
  sample("same with dilation", {{"padding", "same"}, {"output_padding", none}, {"dilation", 2}});
  sample("same with output_padding", {{"padding", "same"}, {"output_padding", 2}, {"kernel_size", 4}, {"stride", 3}});
  if (axes == 2)
    sample("uneven", {{"kernel_size", Json::Array{3, 2}},
                      {"stride", Json::Array{1, 2}},
                      {"padding", Json::Array{1, 0}},
                      {"output_padding", Json::Array{0, 1}}});
}

AttributeSpec output_padding(std::size_t axes) {
  return nullable(tuple("output_padding", axes, 0,
                        "elements added to the end of the output; null: what Keras has for \"same\" and \"valid\""));
}

// Where a call of the module says its output_size, it is what that comes to.
LayerType transposed(std::size_t axes) {
  LayerType type;
  type.name = "ConvTranspose" + torch_suffix(axes);
  type.keeps_rows_apart = LayerType::always;
  type.integers = Integers::BecomeFloats;
  type.summary =
      "transposed convolution over " + std::to_string(axes) + (axes == 1 ? " spatial axis" : " spatial axes");
  type.source = "torch/nn/modules/conv.py; keras/src/layers/convolutional/base_conv_transpose.py";
  type.attributes = {
      required_integer("in_channels", "channels of the input"),
      required_integer("out_channels", "channels of the output"),
      required_tuple("kernel_size", axes, "size of the window"),
      tuple("stride", axes, 1, "step of the window"),
      padding_attribute(axes, {"same", "valid"},
                        "elements taken away at both ends of the output; \"same\" and \"valid\" as Keras has them"),
      of_call(output_padding(axes)),
      integer("groups", 1, "groups of channels that do not mix"),
      boolean("bias", true, "whether a bias is added"),
      tuple("dilation", axes, 1, "distance of the window's elements"),
      text("padding_mode", "zeros", {"zeros"}, "PyTorch has \"zeros\" only"),
      data_format(),
      fused_activation(),
      activation_axis(),
  };
  type.parameters = [](const Attributes& a) { return kernel_parameters(a, "in_channels", "out_channels"); };
  type.shapes = shapes;
  type.layout = follows_data_format();
  type.check = check;
  add_samples(type, axes);
  return type;
}

}  // namespace

Functional function(std::size_t axes) {
  return {.name = "conv_transpose" + torch_suffix(axes),
          .arguments = {"stride", "padding", "output_padding", "groups", "dilation", "data_format"},
          .derive = [axes](Attributes& settings, const std::vector<SymbolicShape>& inputs) {
            const Shape weight = kernel_operand(inputs.at(1), axes);
            settings.set("in_channels", weight[0]);
            settings.set("out_channels",
                         checked_multiply(weight[1], settings.integer("groups"), "the number of channels"));
            settings.set("kernel_size", Shape(weight.begin() + 2, weight.end()));
          }};
}

namespace {

// PyTorch's function knows numbers alone.
LayerType function_type(std::size_t axes) {
  LayerType type = function_of(transposed(axes), function(axes));
  std::erase_if(type.samples, [](const Sample& sample) {
    return sample.attributes.contains("padding") && sample.attributes.at("padding").is_string();
  });
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  std::vector<LayerType> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) result.push_back(transposed(axes));
  for (std::size_t axes = 1; axes <= 3; ++axes) result.push_back(function_type(axes));
  return result;
}

}  // namespace h5bridge::transposed_convolution
