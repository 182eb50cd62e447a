#include "facets/spec/kernel.h"
#include "h5bridge/error.h"
#include "layers/convolution/function.h"
#include "model/checked.h"

namespace h5bridge::convolution {
namespace {

void check(const Attributes& a) {
  check_kernel(a);
  check_at_least(a, "padding", 0);
}

std::vector<SymbolicShape> shapes(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const SymbolicShape spatial = spatial_sizes(a, input, a.open_integers("kernel_size").size());
  check_input_channels(a, input);
  return {with_channels(a, input[0], a.integer("out_channels"), window_counts(a, spatial))};
}

void add_samples(LayerType& type, std::size_t axes) {
  const auto sample = [&](const std::string& what, Json::Object more, std::int64_t batch = 2) {
    Json::Object attributes{{"in_channels", 4}, {"out_channels", 6}, {"kernel_size", 3}};
    for (const auto& [name, value] : more) attributes.set(name, value);
    type.samples.push_back({what, attributes, {sample_image(batch, attributes.at("in_channels").as_integer(), axes)}});
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
  sample("strides and dilation", {{"stride", 2}, {"dilation", 3}, {"padding", 2}});
  for (const char* mode : {"reflect", "replicate", "circular"}) sample(mode, {{"padding_mode", mode}, {"padding", 2}});
  sample("same, reflect", {{"padding_mode", "reflect"}, {"padding", "same"}, {"kernel_size", 4}});
  sample("same with strides, circular",
         {{"padding_mode", "circular"}, {"padding", "same"}, {"stride", 2}, {"kernel_size", 5}}, 1);
  sample("replicate by one, with strides",
         {{"padding_mode", "replicate"}, {"padding", 1}, {"stride", 2}, {"groups", 2}});
  sample("depthwise", {{"groups", 4}, {"out_channels", 4}, {"padding", 1}}, 3);
  sample("depthwise with multiplier", {{"groups", 4}, {"out_channels", 12}, {"stride", 2}, {"bias", false}}, 1);
  sample("depthwise, same with strides",
         {{"groups", 4}, {"out_channels", 8}, {"padding", "same"}, {"stride", 2}, {"activation", "relu"}});
  sample("depthwise, replicate",
         {{"groups", 4}, {"out_channels", 8}, {"padding", 2}, {"dilation", 2}, {"padding_mode", "replicate"}});
  if (axes == 1) {
    sample("causal", {{"padding", "causal"}, {"kernel_size", 4}});
    sample("causal with strides", {{"padding", "causal"}, {"stride", 2}, {"bias", false}}, 1);
    sample("causal with dilation", {{"padding", "causal"}, {"dilation", 3}, {"groups", 2}});
    sample("causal, depthwise", {{"padding", "causal"}, {"groups", 4}, {"out_channels", 8}});
  }
  if (axes == 2) {
    sample("uneven window",
           {{"kernel_size", Json::Array{3, 2}}, {"stride", Json::Array{1, 2}}, {"padding", Json::Array{0, 1}}});
    sample("padding over many", {{"padding", Json::Array{2, 1}}, {"dilation", Json::Array{1, 2}}});
    sample("uneven strides, depthwise",
           {{"groups", 4}, {"out_channels", 8}, {"stride", Json::Array{1, 2}}, {"padding", Json::Array{2, 1}}});
    sample("uneven, circular",
           {{"padding_mode", "circular"}, {"padding", Json::Array{3, 0}}, {"stride", Json::Array{1, 2}}});
  }
}

LayerType convolution(std::size_t axes) {
  LayerType type;
  type.name = "Conv" + torch_suffix(axes);
  type.keeps_rows_apart = LayerType::always;
  type.integers = Integers::BecomeFloats;
  type.summary = "convolution over " + std::to_string(axes) + (axes == 1 ? " spatial axis" : " spatial axes");
  type.source = "torch/nn/modules/conv.py; keras/src/layers/convolutional/base_conv.py";
  std::vector<std::string> words{"same", "valid"};
  if (axes == 1) words.push_back("causal");
  const std::string causal = axes == 1 ? "; \"causal\", Keras's: all of it at the beginning" : "";
  type.attributes = {
      required_integer("in_channels", "channels of the input"),
      required_integer("out_channels", "channels of the output"),
      required_tuple("kernel_size", axes, "size of the window"),
      tuple("stride", axes, 1, "step of the window"),
      padding_attribute(axes, words,
                        "elements added at both ends; \"same\" as Keras has it, also with strides" + causal),
      tuple("dilation", axes, 1, "distance of the window's elements"),
      integer("groups", 1, "groups of channels that do not mix"),
      boolean("bias", true, "whether a bias is added"),
      text("padding_mode", "zeros", {"zeros", "reflect", "replicate", "circular"}, "what is added at the ends"),
      data_format(),
      fused_activation(),
      activation_axis(),
  };
  type.parameters = [](const Attributes& a) { return kernel_parameters(a, "out_channels", "in_channels"); };
  type.shapes = shapes;
  type.layout = follows_data_format();
  type.check = check;
  add_samples(type, axes);
  return type;
}

}  // namespace

Functional function(std::size_t axes) {
  return {.name = "conv" + torch_suffix(axes),
          .arguments = {"stride", "padding", "dilation", "groups", "data_format"},
          .derive =
              [axes](Attributes& settings, const std::vector<SymbolicShape>& inputs) {
                const Shape weight = kernel_operand(inputs.at(1), axes);
                settings.set("out_channels", weight[0]);
                settings.set("in_channels",
                             checked_multiply(weight[1], settings.integer("groups"), "the number of channels"));
                settings.set("kernel_size", Shape(weight.begin() + 2, weight.end()));
              },
          .own = {padding_attribute(axes, {"same", "valid"}, "elements added at both ends")}};
}

namespace {

// PyTorch's function has "same" for strides of 1 alone.
LayerType function_type(std::size_t axes) {
  LayerType type = function_of(convolution(axes), function(axes));
  std::erase_if(type.samples, [](const Sample& sample) {
    return sample.attributes.contains("stride") && sample.attributes.contains("padding") &&
           sample.attributes.at("padding").is_string();
  });
  type.check = [](const Attributes& a) {
    if (has_padding_word(a, "same") && has_strides(a))
      throw MalformedFile("\"padding\" is \"same\", which is for strides of 1");
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  std::vector<LayerType> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) result.push_back(convolution(axes));
  for (std::size_t axes = 1; axes <= 3; ++axes) result.push_back(function_type(axes));
  return result;
}

}  // namespace h5bridge::convolution
