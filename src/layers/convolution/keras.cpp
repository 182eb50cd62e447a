#include <algorithm>

#include "facets/keras/kernel.h"
#include "facets/keras/mapping.h"
#include "facets/keras/padding.h"
#include "facets/registry.h"
#include "facets/spec/kernel.h"
#include "h5bridge/error.h"
#include "layers/convolution/function.h"
#include "model/checked.h"

namespace h5bridge::convolution {
namespace {

using Handle = KerasEmitter::Handle;
using Results = KerasEmitter::Results;

Attributes with_attribute(Attributes a, const std::string& name, AttributeValue value) {
  a.set(name, std::move(value));
  return a;
}

// All windows, and then those at the strides.
Results lower_strides_apart(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  const std::size_t axes = a.integers("kernel_size").size();
  const std::vector<std::int64_t> ones(axes, 1);
  const Handle input = emit_window_padding(a, emitter, emitter.input(0));
  const LayerType& type = *Registry::instance().find("Conv" + torch_suffix(axes));
  const auto outputs = type.shapes(with_attribute(with_attribute(a, "stride", ones), "padding", std::string("valid")),
                                   {emitter.shape(input)});
  config.set("padding", "valid");
  config.set("strides", Json::array(ones));
  const Handle whole = emitter
                           .call({.class_name = "Conv" + keras_suffix(axes),
                                  .config = std::move(config),
                                  .arguments = {input},
                                  .outputs = outputs})
                           .at(0);
  const std::string pooling = "MaxPool" + torch_suffix(axes);
  Attributes step = Registry::instance().find(pooling)->defaults();
  step.set("kernel_size", ones);
  step.set("stride", a.at("stride"));
  step.set("data_format", a.at("data_format"));
  return emitter.layer("stride", pooling, step, whole);
}

Results lower(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  const PaddedInput padded = emit_window_input(a, emitter, emitter.input(0));
  config.set("padding", padded.word);
  return emitter.main(std::move(config), {padded.input});
}

Json::Object with(Json::Object config, const Json::Object& more) {
  for (const auto& [key, value] : more) config.set(key, value);
  return config;
}

// Those that both classes have. `base` makes a layer; an image has 4 channels.
std::vector<KerasSample> samples_of(std::size_t axes, const Json::Object& base, const std::string& weight) {
  const Shape image = sample_keras_image(2, 4, axes);
  return {
      {"plain", base, {image}},
      {"same with strides", with(base, {{"padding", "same"}, {"strides", 2}, {"activation", "relu"}}), {image}},
      {"same, even window", with(base, {{"padding", "same"}, {"kernel_size", 4}, {"use_bias", false}}), {image}},
      {"dilation", with(base, {{"dilation_rate", 2}}), {image}},
      {"channels_first", with(base, {{"data_format", "channels_first"}, {"strides", 2}}), {sample_image(3, 4, axes)}},
      {"settings", with(base, sample_settings({weight, "bias"})), {sample_keras_image(1, 4, axes)}},
  };
}

KerasMapping convolution(std::size_t axes) {
  KerasMapping mapping{.type = "Conv" + torch_suffix(axes), .class_name = "Conv" + keras_suffix(axes)};
  mapping.attributes =
      kernel_rows(axes, {{"out_channels", "filters", spelling::integer()}, {"groups", "groups", spelling::integer()}});
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}, {"bias", "Zeros"}});
  mapping.derive = [axes](Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    derive_in_channels(attributes, inputs.at(0), axes);
  };
  mapping.weights = [axes](const Attributes& a, const std::vector<SymbolicShape>&) {
    return kernel_weights(a, {PermuteAxes{keras_kernel_axes(axes)}});
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> Results {
    return has_strides(a) && has_dilation(a) ? lower_strides_apart(a, std::move(config), emitter)
                                             : lower(a, std::move(config), emitter);
  };
  mapping.lift = [words = axes == 1 ? std::vector<std::string>{"same", "valid", "causal"}
                                    : std::vector<std::string>{"same", "valid"}](
                     Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>&) {
    attributes.set("padding", take_padding_word(config, words));
  };
  const Json::Object base{{"filters", 6}, {"kernel_size", 3}};
  mapping.samples = samples_of(axes, base, "kernel");
  mapping.samples.push_back(
      {"groups", with(base, {{"groups", 2}, {"padding", "same"}}), {sample_keras_image(2, 4, axes)}});
  mapping.samples.push_back(
      {"a group a channel", with(base, {{"groups", 4}, {"filters", 8}}), {sample_keras_image(2, 4, axes)}});
  if (axes == 1)
    for (const int dilation : {1, 2})
      mapping.samples.push_back({"causal, dilation " + std::to_string(dilation),
                                 with(base, {{"padding", "causal"}, {"dilation_rate", dilation}}),
                                 {sample_keras_image(2, 4, axes)}});
  if (axes == 2)
    mapping.samples.push_back({"uneven",
                               with(base, {{"kernel_size", Json::Array{3, 2}}, {"strides", Json::Array{1, 2}}}),
                               {sample_keras_image(2, 4, axes)}});
  return mapping;
}

// A convolution with a group for each channel. Keras's class takes strides together with dilation, but no "causal".
KerasMapping depthwise(std::size_t axes) {
  KerasMapping mapping{.type = "Conv" + torch_suffix(axes), .class_name = "DepthwiseConv" + keras_suffix(axes)};
  mapping.attributes = kernel_rows(axes, {});
  mapping.carried = carried_for({{"depthwise", "GlorotUniform"}, {"bias", "Zeros"}});
  mapping.fits = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    return a.integer("groups") == a.integer("in_channels") && a.integer("groups") > 1 && !has_padding_word(a, "causal");
  };
  mapping.weights = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    return kernel_weights(
        a, depthwise_kernel_steps(a.integer("in_channels"), a.integer("out_channels") / a.integer("in_channels"),
                                  a.integers("kernel_size")));
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> Results {
    config.set("depth_multiplier", a.integer("out_channels") / a.integer("in_channels"));
    return lower(a, std::move(config), emitter);
  };
  mapping.lift = [axes](Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    attributes.set("padding", take_padding_word(config, {"same", "valid"}));
    attributes.set("data_format", config.at("data_format").as_string());
    derive_in_channels(attributes, inputs.at(0), axes);
    const std::int64_t channels = attributes.integer("in_channels");
    attributes.set("groups", channels);
    attributes.set("out_channels",
                   checked_multiply(channels, config.at("depth_multiplier").as_integer(), "the number of channels"));
    config.erase("depth_multiplier");
  };
  const Json::Object base{{"kernel_size", 3}};
  mapping.samples = samples_of(axes, base, "depthwise");
  mapping.samples.push_back(
      {"multiplier", with(base, {{"depth_multiplier", 2}, {"padding", "same"}}), {sample_keras_image(3, 4, axes)}});
  mapping.samples.push_back({"one channel", with(base, {{"depth_multiplier", 3}}), {sample_keras_image(2, 1, axes)}});
  mapping.samples.push_back(
      {"strides and dilation", with(base, {{"strides", 2}, {"dilation_rate", 3}}), {sample_keras_image(2, 4, axes)}});
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    if (axes < 3) result.push_back(depthwise(axes));
    result.push_back(convolution(axes));
  }
  for (std::size_t axes = 1; axes <= 3; ++axes) result.push_back(function_mapping(axes));
  return result;
}

}  // namespace h5bridge::convolution
