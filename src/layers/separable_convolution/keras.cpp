#include "facets/keras/mapping.h"
#include "facets/spec/kernel.h"

namespace h5bridge::separable_convolution {
namespace {

WeightRules weights(const Attributes& a, std::size_t axes) {
  const std::int64_t channels = a.integer("in_channels");
  const std::int64_t multiplier = a.integer("depth_multiplier");
  WeightRules result{.rules = {{.torch = {"depthwise.weight"},
                                .keras = {"depthwise_kernel"},
                                .steps = depthwise_kernel_steps(channels, multiplier, a.integers("kernel_size"))},
                               {.torch = {"pointwise.weight"},
                                .keras = {"pointwise_kernel"},
                                .steps = {PermuteAxes{keras_kernel_axes(axes)}}}}};
  if (a.boolean("bias")) result.rules.push_back({.torch = {"pointwise.bias"}, .keras = {"bias"}});
  return result;
}

KerasMapping separable(std::size_t axes) {
  const std::string name = "SeparableConv" + keras_suffix(axes);
  KerasMapping mapping{.type = name, .class_name = name};
  mapping.attributes = {
      {"out_channels", "filters", spelling::integer()},
      {"kernel_size", "kernel_size", spelling::integers(axes)},
      {"stride", "strides", spelling::integers(axes)},
      {"padding", "padding", spelling::text()},
      {"data_format", "data_format", spelling::text()},
      {"dilation", "dilation_rate", spelling::integers(axes)},
      {"depth_multiplier", "depth_multiplier", spelling::integer()},
      {"activation", "activation", spelling::activation()},
      {"bias", "use_bias", spelling::boolean()},
  };
  mapping.carried = carried_for({{"depthwise", "GlorotUniform"}, {"pointwise", "GlorotUniform"}, {"bias", "Zeros"}});
  mapping.derive = [axes](Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    derive_in_channels(attributes, inputs.at(0), axes);
  };
  mapping.weights = [axes](const Attributes& attributes, const std::vector<SymbolicShape>&) {
    return weights(attributes, axes);
  };
  const auto sample = [&](const std::string& what, const Json::Object& more, const Shape& image) {
    Json::Object config{{"filters", 4}, {"kernel_size", 3}};
    for (const auto& [key, value] : more) config.set(key, value);
    mapping.samples.push_back({what, std::move(config), {image}});
  };
  const Shape image = sample_keras_image(2, 3, axes);
  sample("plain", {}, image);
  sample("multiplier, same", {{"depth_multiplier", 2}, {"padding", "same"}, {"use_bias", false}}, image);
  sample("same with strides", {{"padding", "same"}, {"strides", 2}, {"activation", "relu"}}, image);
  sample("dilation", {{"dilation_rate", 2}}, image);
  sample("channels_first", {{"data_format", "channels_first"}}, sample_image(3, 3, axes));
  sample("settings", sample_settings({"depthwise", "pointwise", "bias"}), sample_keras_image(1, 3, axes));
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {separable(1), separable(2)}; }

}  // namespace h5bridge::separable_convolution
