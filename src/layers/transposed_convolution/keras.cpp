#include <algorithm>
#include <numeric>

#include "facets/keras/composition.h"
#include "facets/keras/kernel.h"
#include "facets/keras/mapping.h"
#include "facets/keras/padding.h"
#include "facets/registry.h"
#include "facets/spec/kernel.h"
#include "layers/transposed_convolution/function.h"

namespace h5bridge::transposed_convolution {
namespace {

using Handle = KerasEmitter::Handle;
using Results = KerasEmitter::Results;

// What Keras's own layer refuses: groups, strides with dilation, and as much as a stride more at the end.
bool exceeds_keras(const Attributes& a) {
  if (a.integer("groups") > 1 || (has_strides(a) && has_dilation(a))) return true;
  const std::vector<Margins> crops = crops_of(a);
  for (std::size_t i = 0; i < crops.size(); ++i)
    if (-crops[i].after >= a.integers("stride")[i]) return true;
  return false;
}

Attributes with_padding(Attributes a, AttributeValue padding, AttributeValue output_padding) {
  a.set("padding", std::move(padding));
  a.set("output_padding", std::move(output_padding));
  return a;
}

// PyTorch's numbers as a word of Keras's, or else as "valid" and a cropping.
Results lower_numbers(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  std::vector<Margins> crops = crops_of(a);
  for (const std::string word : {"valid", "same"})
    if (crops_of(with_padding(a, word, std::monostate{})) == crops) {
      config.set("padding", word);
      config.set("output_padding", nullptr);
      return emitter.main(std::move(config), {emitter.input(0)});
    }
  std::vector<std::int64_t> output_padding;
  for (Margins& crop : crops) {
    output_padding.push_back(std::max(-crop.after, std::int64_t{0}));
    crop.after += output_padding.back();
  }
  config.set("padding", "valid");
  config.set("output_padding", Json::array(output_padding));
  const Attributes uncropped = with_padding(a, std::string("valid"), output_padding);
  const LayerType& type = *Registry::instance().find("ConvTranspose" + torch_suffix(crops.size()));
  const Handle output = emitter
                            .call({.class_name = "Conv" + keras_suffix(crops.size()) + "Transpose",
                                   .config = std::move(config),
                                   .arguments = {emitter.input(0)},
                                   .outputs = type.shapes(uncropped, emitter.input_shapes())})
                            .at(0);
  return emit_cropping(crops, a, emitter, output);
}

KerasMapping transposed(std::size_t axes) {
  KerasMapping mapping{.type = "ConvTranspose" + torch_suffix(axes),
                       .class_name = "Conv" + keras_suffix(axes) + "Transpose"};
  mapping.attributes =
      kernel_rows(axes, {{"out_channels", "filters", spelling::integer()},
                         {"output_padding", "output_padding", spelling::or_none(spelling::integers(axes))}});
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}, {"bias", "Zeros"}});
  mapping.derive = [axes](Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    derive_in_channels(attributes, inputs.at(0), axes);
  };
  mapping.fits = [](const Attributes& a, const std::vector<SymbolicShape>&) { return !exceeds_keras(a); };
  mapping.weights = [axes](const Attributes& a, const std::vector<SymbolicShape>&) {
    return kernel_weights(a, {PermuteAxes{keras_kernel_axes(axes)}});
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> Results {
    const auto* word = std::get_if<std::string>(&a.at("padding"));
    if (!word) return lower_numbers(a, std::move(config), emitter);
    config.set("padding", *word);
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.lift = [](Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>&) {
    attributes.set("padding", take_padding_word(config, {"same", "valid"}));
  };
  const auto sample = [&](const std::string& what, const Json::Object& more, const Shape& image) {
    Json::Object config{{"filters", 6}, {"kernel_size", 3}};
    for (const auto& [key, value] : more) config.set(key, value);
    mapping.samples.push_back({what, std::move(config), {image}});
  };
  const Shape image = sample_keras_image(2, 4, axes);
  sample("plain", {}, image);
  sample("same with strides", {{"padding", "same"}, {"strides", 2}, {"activation", "relu"}}, image);
  sample("same with larger strides", {{"padding", "same"}, {"strides", 3}, {"kernel_size", 2}}, image);
  sample("gaps", {{"strides", 3}, {"kernel_size", 2}, {"use_bias", false}}, image);
  sample("output_padding", {{"strides", 3}, {"output_padding", 1}}, image);
  sample("same with output_padding", {{"padding", "same"}, {"strides", 2}, {"output_padding", 1}}, image);
  sample("dilation", {{"dilation_rate", 2}}, image);
  sample("channels_first", {{"data_format", "channels_first"}, {"padding", "same"}, {"strides", 2}},
         sample_image(3, 4, axes));
  sample("settings", sample_settings({"kernel", "bias"}), sample_keras_image(1, 4, axes));
  return mapping;
}

// --- What Keras's layer refuses, as a convolution of the input with zeros between its elements ---

// (in, out/groups, k...) as the kernel (k..., in/groups, out) of a convolution, whose window runs the other way.
std::vector<WeightStep> turned_kernel(const Attributes& a) {
  const std::int64_t groups = a.integer("groups");
  const std::int64_t in = a.integer("in_channels") / groups;
  const std::int64_t out = a.integer("out_channels") / groups;
  const auto& kernel = a.integers("kernel_size");
  const auto axes = static_cast<std::int64_t>(kernel.size());
  const auto with_kernel = [&](Shape before, const Shape& after) {
    before.insert(before.end(), kernel.begin(), kernel.end());
    before.insert(before.end(), after.begin(), after.end());
    return before;
  };
  std::vector<std::int64_t> order(axes);
  std::iota(order.begin(), order.end(), 3);
  order.insert(order.end(), {1, 0, 2});
  std::vector<WeightStep> steps{ChangeShape{with_kernel({groups * in, out}, {}), with_kernel({groups, in, out}, {})},
                                PermuteAxes{order},
                                ChangeShape{with_kernel({}, {in, groups, out}), with_kernel({}, {in, groups * out})}};
  for (std::int64_t axis = 0; axis < axes; ++axis) {
    std::vector<std::int64_t> reversed(kernel[axis]);
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    steps.push_back(ReorderBlocks{axis, reversed});
  }
  return steps;
}

// stride - 1 zeros behind each element: as many copies of it, of which the first one stays. That knows open sizes.
Handle emit_spread(const Attributes& a, KerasEmitter& emitter, Handle input) {
  Composition steps(emitter, "spread");
  const auto& strides = a.integers("stride");
  const std::int64_t channels = channel_axis(a, steps.rank(input));
  for (std::size_t i = 0; i < strides.size(); ++i) {
    if (strides[i] == 1) continue;
    const auto axis = static_cast<std::int64_t>(i) + (channels == 1 ? 2 : 1);
    SymbolicShape shape = steps.shape(input);
    shape[axis] = shape[axis] * Size(strides[i]);
    const Handle copies = steps.apply("Repeat", {input}, shape, {{"repeats", strides[i]}, {"axis", axis}});
    const Handle place = steps.elementwise("Mod", {steps.positions(copies, axis), Json(strides[i])});
    input = steps.where(steps.elementwise("Equal", {place, Json(0)}), copies, Json(0));
  }
  return input;
}

}  // namespace

Handle emit_convolved(const Attributes& a, KerasEmitter& emitter, Handle input) {
  if (has_strides(a)) input = emit_spread(a, emitter, input);
  const std::vector<Window> windows = windows_of(a);
  std::vector<Margins> margins = crops_of(a);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const std::int64_t full = windows[i].extent() - 1;
    margins[i] = {full - margins[i].before, full - margins[i].after - (windows[i].stride - 1)};
  }
  return emit_padding({}, margins, a, emitter, input);
}

namespace {

Results lower_as_convolution(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  config.set("strides", Json::array(std::vector<std::int64_t>(a.integers("stride").size(), 1)));
  config.set("padding", "valid");
  return emitter.main(std::move(config), {emit_convolved(a, emitter, emitter.input(0))});
}

KerasMapping as_convolution(std::size_t axes) {
  KerasMapping mapping{.type = "ConvTranspose" + torch_suffix(axes), .class_name = "Conv" + keras_suffix(axes)};
  mapping.attributes =
      kernel_rows(axes, {{"out_channels", "filters", spelling::integer()}, {"groups", "groups", spelling::integer()}});
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}, {"bias", "Zeros"}});
  mapping.written_only = true;  // it is read as a convolution
  mapping.weights = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    return kernel_weights(a, turned_kernel(a));
  };
  mapping.lower = lower_as_convolution;
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    result.push_back(transposed(axes));
    result.push_back(as_convolution(axes));
    result.push_back(function_mapping(axes));
  }
  return result;
}

}  // namespace h5bridge::transposed_convolution
