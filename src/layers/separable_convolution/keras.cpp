#include "layers/kernel.h"
#include "layers/keras_mapping.h"

namespace h5bridge::separable_convolution {
namespace {

WeightRules weights(const Attributes& a, std::size_t axes) {
  const std::int64_t channels = a.integer("in_channels");
  const std::int64_t multiplier = a.integer("depth_multiplier");
  WeightRules result{.rules = {{.torch = {"depthwise.weight"}, .keras = {"depthwise_kernel"}, .steps = depthwise_kernel_steps(channels, multiplier, a.integers("kernel_size"))},
                               {.torch = {"pointwise.weight"}, .keras = {"pointwise_kernel"}, .steps = {PermuteAxes{keras_kernel_axes(axes)}}}}};
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
  mapping.derive = [axes](Attributes& attributes, const std::vector<SymbolicShape>& inputs) { derive_in_channels(attributes, inputs.at(0), axes); };
  mapping.weights = [axes](const Attributes& attributes, const std::vector<SymbolicShape>&) { return weights(attributes, axes); };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {separable(1), separable(2)}; }

}  // namespace h5bridge::separable_convolution
