#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/keras/mapping.h"
#include "facets/keras/open_sizes.h"
#include "facets/keras/padding.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/padding/kinds.h"

namespace h5bridge::padding {
namespace {

using Handle = KerasEmitter::Handle;
using Results = KerasEmitter::Results;

bool any_negative(const Attributes& a) {
  return std::ranges::any_of(a.integers("padding"), [](std::int64_t margin) { return margin < 0; });
}

Results lower_module(const Attributes& a, const std::string& mode, KerasEmitter& emitter) {
  const double value = a.contains("value") ? a.number("value") : 0;
  return emit_padding({mode, value}, margins_from(a.integers("padding")), a, emitter, emitter.input(0), "");
}

// Keras has a layer for zeros.
KerasMapping zero_padding(std::size_t axes) {
  KerasMapping mapping{.type = "ZeroPad" + torch_suffix(axes),
                       .class_name = "ZeroPadding" + keras_suffix(axes),
                       .attributes = {{"padding", "padding", margin_pairs(axes, true)},
                                      {"data_format", "data_format", spelling::text(), std::string("channels_last")}},
                       .lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> Results {
                         if (any_negative(a)) return lower_module(a, "constant", emitter);
                         return emitter.main(std::move(config), {emitter.input(0)});
                       }};
  mapping.samples = margin_samples("padding", axes);
  if (axes == 1)
    mapping.samples.push_back(
        {"channels_first", {{"padding", Json::Array{0, 2}}, {"data_format", "channels_first"}}, {{2, 3, 7}}});
  return mapping;
}

// The other modules are operations, which are read as `pad`.
KerasMapping operation(const Kind& kind, std::size_t axes) {
  return {
      .type = kind.name + torch_suffix(axes),
      .class_name = "Pad",
      .lower = [mode = std::string(kind.mode)](const Attributes& a, Json::Object, KerasEmitter& emitter) -> Results {
        return lower_module(a, mode, emitter);
      },
      .written_only = true,
      .module = "keras.src.ops.numpy"};
}

// PyTorch's modes by the names that Keras's operation has for them; the first of a mode is written.
constexpr std::pair<const char*, const char*> kModes[] = {
    {"constant", "constant"}, {"reflect", "reflect"}, {"symmetric", "symmetric"},
    {"circular", "circular"}, {"circular", "wrap"},   {"replicate", "edge"},
};

Spelling modes() {
  return {[](const AttributeValue& value) {
            for (const auto& [torch, keras] : kModes)
              if (std::get<std::string>(value) == torch) return Json(keras);
            throw Unsupported("keras.ops.pad has no mode \"" + std::get<std::string>(value) + "\"");
          },
          [](const Json& json) -> AttributeValue {
            for (const auto& [torch, keras] : kModes)
              if (json.as_string() == keras) return std::string(torch);
            throw Unsupported("the mode \"" + json.as_string() + "\" is not known");
          }};
}

// The margins of all axes that are numbers, and none for those that are open.
std::vector<Margins> fixed_margins(const SymbolicShape& flat, std::size_t rank) {
  std::vector<Margins> margins(rank, Margins{0, 0});
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2)
    if (const auto before = flat[i].value(), after = flat[i + 1].value(); before && after)
      margins[rank - 1 - i / 2] = {*before, *after};
  return margins;
}

// Along an axis whose margins are open: each element of the output takes the input's that it stands on, or would stand
// on if the axis went on as the mode says.
Handle emit_open_padding(const PaddingMode& mode, KerasEmitter& emitter, OpenSizes& sizes, Handle x, std::int64_t axis,
                         const Size& before, const Size& output, const std::string& suffix) {
  const SymbolicShape shape = emitter.shape(x);
  const Size last = shape[axis] - Size(1);
  const Handle place = sizes.elementwise("Subtract", {sizes.range(output), sizes.count(before)});
  if (mode.mode == "circular")
    return named(sizes.emitter(), suffix).take(x, axis, sizes.elementwise("Mod", {place, sizes.count(shape[axis])}));
  if (mode.mode == "replicate") return named(sizes.emitter(), suffix).take(x, axis, sizes.clamped(place, shape[axis]));
  if (mode.mode == "reflect") {
    const Handle back = sizes.elementwise(
        "Absolute", {sizes.elementwise("Subtract", {sizes.elementwise("Absolute", {place}), sizes.count(last)})});
    return named(sizes.emitter(), suffix)
        .take(x, axis, sizes.elementwise("Negative", {sizes.elementwise("Subtract", {back, sizes.count(last)})}));
  }
  if (mode.mode != "constant")
    throw Unsupported("open padding has no mode \"" + mode.mode + "\"; LoadOptions::fix_sizes may help");
  const Handle nearest = sizes.clamped(place, shape[axis]);
  const Handle inside =
      sizes.along(sizes.elementwise("Equal", {place, nearest}), axis, static_cast<std::int64_t>(shape.size()));
  const Handle taken = named(sizes.emitter(), "inside").take(x, axis, nearest);
  return named(emitter, suffix).elementwise("Where", {inside, taken, Json(mode.value)});
}

Results lower_pad(const Attributes& a, Json::Object, KerasEmitter& emitter) {
  const PaddingMode mode{a.text("mode"), a.is_none("value") ? 0 : a.number("value")};
  const SymbolicShape& flat = a.sizes("pad");
  const std::size_t rank = emitter.input_shapes()[0].size();
  const std::vector<Margins> margins = fixed_margins(flat, rank);
  if (fixed(flat)) return emit_padding_of_all_axes(mode, margins, emitter, emitter.input(0), "");
  Handle x = emitter.input(0);
  if (any_margin(margins)) x = emit_padding_of_all_axes(mode, margins, emitter, x, "known");
  OpenSizes sizes(emitter, "place_");
  std::vector<std::size_t> open;  // places in the flat list
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2)
    if (flat[i].is_open() || flat[i + 1].is_open()) open.push_back(i);
  for (const std::size_t i : open) {
    const std::size_t axis = rank - 1 - i / 2;
    x = emit_open_padding(mode, emitter, sizes, x, static_cast<std::int64_t>(axis), flat[i],
                          emitter.output_shape()[axis], i == open.back() ? "" : "axis" + std::to_string(axis));
  }
  return x;
}

// keras.ops.pad names all axes, the first one first; or one integer or pair stands for all (but Keras on PyTorch then
// pads the last axis alone).
std::vector<std::int64_t> flat_from_widths(const Json& widths, std::size_t rank) {
  const bool one_pair = widths.is_array() && !widths.as_array().empty() &&
                        (widths.as_array().size() == 1 || widths.as_array()[0].is_integer());
  if (!one_pair) return std::get<std::vector<std::int64_t>>(margin_pairs(rank, true).from_keras(widths));
  const Json& pair = widths.as_array().size() == 1 ? widths.as_array()[0] : widths;
  const auto ends = std::get<std::vector<std::int64_t>>(margin_pairs(1, true).from_keras(pair));
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < rank; ++i) result.insert(result.end(), ends.begin(), ends.end());
  return result;
}

void lift_pad(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
  const Json* widths = config.find("pad_width");
  if (!widths) throw MalformedFile("its configuration has no \"pad_width\"");
  std::vector<std::int64_t> flat = flat_from_widths(*widths, inputs.at(0).size());
  while (flat.size() > 2 && flat.back() == 0 && flat[flat.size() - 2] == 0) flat.resize(flat.size() - 2);
  attributes.set("pad", SymbolicShape(flat.begin(), flat.end()));
  config.erase("pad_width");
}

Json widths(const Margins& first, const Margins& second) {
  return Json::Array{Json::Array{0, 0}, Json::Array{first.before, first.after},
                     Json::Array{second.before, second.after}};
}

KerasMapping pad_function() {
  return {.type = "pad",
          .class_name = "Pad",
          .attributes = {{"mode", "mode", modes()}, {"value", "constant_values", spelling::number()}},
          .lower = lower_pad,
          .lift = lift_pad,
          .module = "keras.src.ops.numpy",
          .call = {"x", "constant_values"},
          .samples = {
              {"pairs", {{"pad_width", widths({1, 2}, {0, 1})}}, {{2, 5, 3}}, {{"constant_values", -1.5}}},
              {"reflect", {{"pad_width", widths({1, 2}, {2, 0})}, {"mode", "reflect"}}, {{2, 5, 3}}},
              {"symmetric", {{"pad_width", widths({1, 0}, {1, 1})}, {"mode", "symmetric"}}, {{2, 5, 3}}},
          }};
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result{pad_function()};
  for (std::size_t axes = 1; axes <= 3; ++axes) result.push_back(zero_padding(axes));
  for (const Kind& kind : kinds)
    for (std::size_t axes = 1; axes <= 3; ++axes)
      if (std::string(kind.name) != "ZeroPad") result.push_back(operation(kind, axes));
  return result;
}

}  // namespace h5bridge::padding
