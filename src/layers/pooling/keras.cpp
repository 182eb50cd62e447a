#include <algorithm>
#include <limits>

#include "h5bridge/error.h"
#include "layers/keras_mapping.h"
#include "layers/keras_padding.h"
#include "layers/layer_type.h"
#include "layers/window.h"

namespace h5bridge::pooling {
namespace {

// Margins that make ceil_mode's windows whole. Where the size is open, a stride less one at the end is right for any.
std::vector<Margins> margins_with_ceil(const Attributes& a, const SymbolicShape& input) {
  std::vector<Margins> margins = margins_of(a);
  if (!a.boolean("ceil_mode")) return margins;
  const std::vector<Window> windows = windows_of(a);
  const SymbolicShape spatial = spatial_sizes(a, input, windows.size());
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const Window& window = windows[i];
    if (spatial[i].value()) {
      const std::int64_t windows_count = *windows_in(spatial[i], window, margins[i], true).value();
      const std::int64_t needed = (windows_count - 1) * window.stride + window.extent() - *spatial[i].value() - margins[i].before;
      margins[i].after = std::max(margins[i].after, needed);
    } else if (window.extent() >= window.stride + margins[i].before) {
      margins[i].after += window.stride - 1;
    } else {
      throw Unsupported("ceil_mode over an open size (" + spatial[i].str() + ") with a stride larger than its window has no Keras layer; --fix-size may help");
    }
  }
  return margins;
}

bool has_dilation(const Attributes& a) {
  const auto& dilation = a.integers("dilation");
  return std::any_of(dilation.begin(), dilation.end(), [](std::int64_t d) { return d != 1; });
}

KerasEmitter::Results emit_pooling(bool same, Json::Object config, KerasEmitter& emitter, KerasEmitter::Handle input) {
  config.set("padding", same ? "same" : "valid");
  return emitter.main(std::move(config), {input});
}

KerasEmitter::Results lower_max(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  if (has_dilation(a)) throw Unsupported("max pooling with dilation has no Keras layer");
  const bool same = has_padding_word(a, "same");
  KerasEmitter::Handle input = emitter.input(0);
  if (!same)
    if (const auto margins = margins_with_ceil(a, emitter.input_shapes()[0]); any_margin(margins))
      input = emit_constant_padding(margins, -std::numeric_limits<double>::infinity(), a, emitter, input);
  return emit_pooling(same, std::move(config), emitter, input);
}

KerasEmitter::Results lower_average(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  if (a.contains("divisor_override") && !a.is_none("divisor_override")) throw Unsupported("average pooling with divisor_override has no Keras layer");
  const bool same = has_padding_word(a, "same");
  KerasEmitter::Handle input = emitter.input(0);
  if (!same) {
    const std::vector<Margins> margins = margins_of(a);
    const auto with_ceil = margins_with_ceil(a, emitter.input_shapes()[0]);
    for (std::size_t i = 0; i < margins.size(); ++i)
      if (with_ceil[i].after != margins[i].after) throw Unsupported("average pooling with ceil_mode, where windows end outside, has no Keras layer");
    if (any_margin(margins)) {
      if (!a.boolean("count_include_pad")) throw Unsupported("average pooling with padding that does not count has no Keras layer");
      input = emit_zero_padding(margins, a, emitter, input);
    }
  }
  return emit_pooling(same, std::move(config), emitter, input);
}

void lift(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>&) {
  const Json* padding = config.find("padding");
  if (!padding) throw MalformedFile("its configuration has no \"padding\"");
  attributes.set("padding", padding->as_string());
  config.erase("padding");
}

// None is the window's size; Keras writes it out, which `lower` does.
Spelling strides(std::size_t axes) {
  Spelling result = spelling::integers(axes);
  result.to_keras = [to = result.to_keras](const AttributeValue& value) { return std::holds_alternative<std::monostate>(value) ? Json() : to(value); };
  result.from_keras = [from = result.from_keras](const Json& json) { return json.is_null() ? AttributeValue{} : from(json); };
  return result;
}

KerasMapping pooling(const std::string& type, const std::string& class_name, std::size_t axes, decltype(KerasMapping::lower) lower) {
  KerasMapping mapping{.type = type + torch_suffix(axes), .class_name = class_name + keras_suffix(axes)};
  mapping.attributes = {
      {"kernel_size", "pool_size", spelling::integers(axes)},
      {"stride", "strides", strides(axes)},
      {"data_format", "data_format", spelling::text()},
  };
  mapping.lower = [lower](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    config.set("strides", Json::array(a.is_none("stride") ? a.integers("kernel_size") : a.integers("stride")));
    return lower(a, std::move(config), emitter);
  };
  mapping.lift = lift;
  return mapping;
}

KerasMapping global_pooling(const std::string& type, const std::string& class_name, std::size_t axes) {
  KerasMapping mapping{.type = type + torch_suffix(axes), .class_name = class_name + keras_suffix(axes)};
  mapping.attributes = {
      {"keepdims", "keepdims", spelling::boolean()},
      {"data_format", "data_format", spelling::text()},
  };
  mapping.derive = [axes](Attributes& attributes, const std::vector<SymbolicShape>&) {
    attributes.set("output_size", std::vector<std::int64_t>(axes, 1));
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    for (const std::int64_t size : a.integers("output_size"))
      if (size != 1) throw Unsupported("adaptive pooling to a size of " + std::to_string(size) + " has no Keras layer yet");
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    result.push_back(pooling("MaxPool", "MaxPooling", axes, lower_max));
    result.push_back(pooling("AvgPool", "AveragePooling", axes, lower_average));
    result.push_back(global_pooling("AdaptiveAvgPool", "GlobalAveragePooling", axes));
    result.push_back(global_pooling("AdaptiveMaxPool", "GlobalMaxPooling", axes));
  }
  return result;
}

}  // namespace h5bridge::pooling
