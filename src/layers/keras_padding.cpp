#include "layers/keras_padding.h"

#include <algorithm>

#include "layers/registry.h"

namespace h5bridge {
namespace {

Json pair(const Margins& margins) { return Json::Array{margins.before, margins.after}; }

// As a ZeroPad layer has them: the last axis first.
Attributes zero_padding(const std::vector<Margins>& margins, const Attributes& attributes) {
  std::vector<std::int64_t> padding;
  for (auto axis = margins.rbegin(); axis != margins.rend(); ++axis) padding.insert(padding.end(), {axis->before, axis->after});
  Attributes result;
  result.set("padding", padding);
  result.set("data_format", attributes.at("data_format"));
  return result;
}

std::string zero_padding_type(const std::vector<Margins>& margins) { return "ZeroPad" + torch_suffix(margins.size()); }

}  // namespace

bool any_margin(const std::vector<Margins>& margins) {
  return std::any_of(margins.begin(), margins.end(), [](const Margins& m) { return m.before != 0 || m.after != 0; });
}

KerasEmitter::Handle emit_zero_padding(const std::vector<Margins>& margins, const Attributes& attributes, KerasEmitter& emitter,
                                       KerasEmitter::Handle input) {
  return emitter.layer("pad", zero_padding_type(margins), zero_padding(margins, attributes), input);
}

KerasEmitter::Handle emit_constant_padding(const std::vector<Margins>& margins, double value, const Attributes& attributes,
                                           KerasEmitter& emitter, KerasEmitter::Handle input) {
  const auto rank = static_cast<std::int64_t>(margins.size()) + 2;
  Json::Array widths;
  for (const Margins& axis : margins) widths.push_back(pair(axis));
  widths.insert(widths.begin(), pair({0, 0}));
  widths.insert(widths.begin() + channel_axis(attributes, rank), pair({0, 0}));
  const LayerType& type = *Registry::instance().find(zero_padding_type(margins));
  return emitter.operation("pad", "keras.src.ops.numpy", "Pad", {{"pad_width", widths}, {"mode", "constant"}}, {input}, {{"constant_values", value}},
                           type.shapes(zero_padding(margins, attributes), {emitter.shape(input)}).at(0));
}

}  // namespace h5bridge
