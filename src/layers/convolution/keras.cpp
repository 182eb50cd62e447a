#include <numeric>

#include "h5bridge/error.h"
#include "layers/keras_mapping.h"
#include "layers/keras_padding.h"
#include "layers/layer_type.h"
#include "layers/window.h"

namespace h5bridge::convolution {
namespace {

// Whether zeros at both ends are what Keras's `same` adds: then no layer of its own is needed for them.
bool amounts_to_same(const Attributes& a) {
  const std::vector<Window> windows = windows_of(a);
  const std::vector<Margins> margins = margins_of(a);
  for (std::size_t i = 0; i < windows.size(); ++i)
    if (windows[i].stride != 1 || 2 * margins[i].before != windows[i].extent() - 1) return false;
  return true;
}

KerasEmitter::Results lower(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  if (a.text("padding_mode") != "zeros") throw Unsupported("padding_mode \"" + a.text("padding_mode") + "\" has no Keras layer yet");
  KerasEmitter::Handle input = emitter.input(0);
  std::string padding = "valid";
  if (has_padding_word(a, "same"))
    padding = "same";
  else if (const auto margins = margins_of(a); any_margin(margins)) {
    if (amounts_to_same(a))
      padding = "same";
    else
      input = emit_zero_padding(margins, a, emitter, input);
  }
  config.set("padding", padding);
  return emitter.main(std::move(config), {input});
}

void lift(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>&) {
  const Json* padding = config.find("padding");
  if (!padding) throw MalformedFile("its configuration has no \"padding\"");
  const std::string& word = padding->as_string();
  if (word != "same" && word != "valid") throw Unsupported("padding \"" + word + "\" is not known");
  attributes.set("padding", word);
  config.erase("padding");
}

WeightRules weights(const Attributes& a, std::size_t axes) {
  // (out, in, k...) to (k..., in, out).
  std::vector<std::int64_t> order(axes);
  std::iota(order.begin(), order.end(), 2);
  order.insert(order.end(), {1, 0});
  WeightRules result{.rules = {{.torch = {"weight"}, .keras = {"kernel"}, .steps = {PermuteAxes{order}}}}};
  if (a.boolean("bias")) result.rules.push_back({.torch = {"bias"}, .keras = {"bias"}});
  return result;
}

KerasMapping convolution(std::size_t axes) {
  KerasMapping mapping{.type = "Conv" + torch_suffix(axes), .class_name = "Conv" + keras_suffix(axes)};
  mapping.attributes = {
      {"out_channels", "filters", spelling::integer()},
      {"kernel_size", "kernel_size", spelling::integers(axes)},
      {"stride", "strides", spelling::integers(axes)},
      {"data_format", "data_format", spelling::text()},
      {"dilation", "dilation_rate", spelling::integers(axes)},
      {"groups", "groups", spelling::integer()},
      {"activation", "activation", spelling::activation()},
      {"bias", "use_bias", spelling::boolean()},
  };
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}, {"bias", "Zeros"}});
  mapping.derive = [axes](Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    spatial_sizes(attributes, inputs.at(0), axes);  // the number of axes
    const auto channels = inputs.at(0)[channel_axis(attributes, static_cast<std::int64_t>(inputs.at(0).size()))].value();
    if (!channels) throw MalformedFile("the channels of its input are open");
    attributes.set("in_channels", *channels);
  };
  mapping.weights = [axes](const Attributes& attributes, const std::vector<SymbolicShape>&) { return weights(attributes, axes); };
  mapping.lower = lower;
  mapping.lift = lift;
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {convolution(1), convolution(2), convolution(3)}; }

}  // namespace h5bridge::convolution
