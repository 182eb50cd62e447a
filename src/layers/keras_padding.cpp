#include "layers/keras_padding.h"

#include <algorithm>

#include "layers/layer_type.h"

namespace h5bridge {
namespace {

Json pair(const Margins& margins) { return Json::Array{margins.before, margins.after}; }

}  // namespace

bool any_margin(const std::vector<Margins>& margins) {
  return std::any_of(margins.begin(), margins.end(), [](const Margins& m) { return m.before != 0 || m.after != 0; });
}

Json zero_padding_config(const std::vector<Margins>& margins) {
  if (margins.size() == 1) return pair(margins[0]);
  Json::Array result;
  for (const Margins& axis : margins) result.push_back(pair(axis));
  return result;
}

KerasEmitter::Handle emit_zero_padding(const std::vector<Margins>& margins, const Attributes& attributes, KerasEmitter& emitter,
                                       KerasEmitter::Handle input) {
  Json::Object config{{"padding", zero_padding_config(margins)}, {"data_format", attributes.text("data_format")}};
  return emitter.layer("pad", "ZeroPadding" + keras_suffix(margins.size()), std::move(config), input);
}

KerasEmitter::Handle emit_constant_padding(const std::vector<Margins>& margins, double value, const Attributes& attributes,
                                           KerasEmitter& emitter, KerasEmitter::Handle input) {
  const auto rank = static_cast<std::int64_t>(margins.size()) + 2;
  Json::Array widths;
  for (const Margins& axis : margins) widths.push_back(pair(axis));
  widths.insert(widths.begin(), pair({0, 0}));
  widths.insert(widths.begin() + channel_axis(attributes, rank), pair({0, 0}));
  return emitter.operation("pad", "keras.src.ops.numpy", "Pad", {{"pad_width", widths}, {"mode", "constant"}}, input, {{"constant_values", value}});
}

}  // namespace h5bridge
