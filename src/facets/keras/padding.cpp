#include "facets/keras/padding.h"

#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

using Handle = KerasEmitter::Handle;

bool has_any(const Margins& axis) { return axis.before != 0 || axis.after != 0; }

std::vector<Margins> added(std::vector<Margins> margins) {
  for (Margins& axis : margins) axis = {std::max(axis.before, std::int64_t{0}), std::max(axis.after, std::int64_t{0})};
  return margins;
}

std::vector<Margins> taken(std::vector<Margins> margins) {
  for (Margins& axis : margins)
    axis = {std::max(-axis.before, std::int64_t{0}), std::max(-axis.after, std::int64_t{0})};
  return margins;
}

// The margins of spatial axes with those of batch and channels, which have none.
std::vector<Margins> with_other_axes(std::vector<Margins> margins, const Attributes& attributes) {
  margins.insert(margins.begin(), Margins{0, 0});
  margins.insert(margins.begin() + channel_axis(attributes, static_cast<std::int64_t>(margins.size()) + 1),
                 Margins{0, 0});
  return margins;
}

SymbolicShape widened(SymbolicShape shape, const std::vector<Margins>& margins) {
  for (std::size_t i = 0; i < shape.size(); ++i) shape[i] = shape[i] + Size(margins[i].before) + Size(margins[i].after);
  return shape;
}

Json pair(const Margins& margins) { return Json::Array{margins.before, margins.after}; }

Json pairs(const std::vector<Margins>& margins) {
  Json::Array result;
  for (const Margins& axis : margins) result.push_back(pair(axis));
  return result;
}

Margins margins_of_pair(const Json& json) {
  if (json.is_integer()) return {json.as_integer(), json.as_integer()};
  if (json.as_array().size() != 2) throw MalformedFile("is " + quoted(json) + ", expected two integers");
  return {json.as_array()[0].as_integer(), json.as_array()[1].as_integer()};
}

// An array of all axes' slices, as x[key] has it.
Handle emit_slices(const std::vector<Margins>& margins, KerasEmitter& emitter, Handle input,
                   const std::string& suffix) {
  Json::Array key;
  SymbolicShape shape = emitter.shape(input);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const Json start = margins[i].before ? Json(margins[i].before) : Json();
    const Json stop = margins[i].after ? Json(-margins[i].after) : Json();
    key.push_back(Json::Object{{"class_name", "__slice__"},
                               {"config", Json::Object{{"start", start}, {"stop", stop}, {"step", nullptr}}}});
    shape[i] = shape[i] - Size(margins[i].before) - Size(margins[i].after);
  }
  return named(emitter, suffix).with("key", key).apply("GetItem", {input}, shape);
}

// keras.ops.pad's name for a mode, if all backends pad alike with it. On PyTorch's it takes the last one to three axes
// of a tensor that has one or two more, and its "symmetric" repeats the border, which is right for a margin of one
// element.
std::string mode_in_keras(const std::string& mode, const std::vector<Margins>& margins) {
  if (mode == "constant" || mode == "symmetric") return mode;
  const auto first = std::find_if(margins.begin(), margins.end(), has_any);
  const auto axes = margins.end() - first;
  const auto before = first - margins.begin();
  if (axes > 3 || before < 1 || before > 2) return "";
  if (mode == "reflect") return mode;
  const bool by_one = std::all_of(margins.begin(), margins.end(),
                                  [](const Margins& axis) { return axis.before <= 1 && axis.after <= 1; });
  return mode == "replicate" && by_one ? "symmetric" : "";
}

// The elements of an axis that a mode puts before it or after it; negative ones count from the end.
Json::Array border(const std::string& mode, std::int64_t count, bool is_before) {
  Json::Array result;
  for (std::int64_t i = 0; i < count; ++i) {
    if (mode == "reflect") result.push_back(is_before ? count - i : -i - 2);
    if (mode == "replicate") result.push_back(is_before ? 0 : -1);
    if (mode == "circular") result.push_back(is_before ? i - count : i);
  }
  return result;
}

// Axis by axis, the borders taken from the axis and joined to it.
Handle emit_joined_borders(const std::string& mode, const std::vector<Margins>& margins, KerasEmitter& emitter,
                           Handle input, const std::string& suffix) {
  const auto end = std::find_if(margins.rbegin(), margins.rend(), has_any).base();
  for (std::size_t axis = 0; axis < margins.size(); ++axis) {
    if (!has_any(margins[axis])) continue;
    const std::string own = "axis" + std::to_string(axis);
    const auto take = [&](std::int64_t count, bool is_before) {
      SymbolicShape shape = emitter.shape(input);
      shape[axis] = count;
      return named(emitter, own + (is_before ? "_before" : "_after"))
          .with("indices", border(mode, count, is_before))
          .apply("Take", {input}, shape, {{"axis", axis}});
    };
    std::vector<Handle> parts{input};
    if (margins[axis].before) parts.insert(parts.begin(), take(margins[axis].before, true));
    if (margins[axis].after) parts.push_back(take(margins[axis].after, false));
    const bool is_last = margins.begin() + static_cast<std::ptrdiff_t>(axis) + 1 == end;
    input = named(emitter, is_last ? suffix : own).concatenate(parts, static_cast<std::int64_t>(axis));
  }
  return input;
}

Handle emit_added(const PaddingMode& mode, const std::vector<Margins>& margins, KerasEmitter& emitter, Handle input,
                  const std::string& suffix) {
  const std::string keras_mode = mode_in_keras(mode.mode, margins);
  if (keras_mode.empty()) return emit_joined_borders(mode.mode, margins, emitter, input, suffix);
  std::vector<KerasEmitter::Argument> arguments{input};
  if (keras_mode == "constant" && mode.value != 0) arguments.push_back(Json(mode.value));
  return named(emitter, suffix)
      .apply("Pad", std::move(arguments), widened(emitter.shape(input), margins),
             {{"pad_width", pairs(margins)}, {"mode", keras_mode}});
}

// Adds and takes away. A reflection may reach elements that are taken away; what goes around in a circle does not.
template <typename Add, typename Take>
Handle emit_both(const std::string& mode, const std::vector<Margins>& margins, Handle input, const std::string& suffix,
                 const Add& add, const Take& take) {
  const bool adds = any_margin(added(margins));
  const bool takes = any_margin(taken(margins));
  if (takes && mode == "circular") input = take(input, adds ? "crop" : suffix);
  if (adds) input = add(input, takes && mode != "circular" ? "pad" : suffix);
  if (takes && mode != "circular") input = take(input, suffix);
  return input;
}

}  // namespace

bool any_margin(const std::vector<Margins>& margins) { return std::any_of(margins.begin(), margins.end(), has_any); }

Spelling margin_pairs(std::size_t axes, bool last_axis_first) {
  const auto turned = [last_axis_first](std::vector<Margins> margins) {
    if (!last_axis_first) std::reverse(margins.begin(), margins.end());
    return margins;
  };
  return {[=](const AttributeValue& value) {
            const std::vector<Margins> margins = turned(margins_from(std::get<std::vector<std::int64_t>>(value)));
            return axes == 1 ? pair(margins[0]) : pairs(margins);
          },
          [=](const Json& json) -> AttributeValue {
            std::vector<Margins> margins;
            if (axes == 1 || json.is_integer())
              margins.assign(axes, margins_of_pair(json));
            else
              for (const Json& axis : json.as_array()) margins.push_back(margins_of_pair(axis));
            if (margins.size() != axes)
              throw MalformedFile("is " + quoted(json) + ", expected " + std::to_string(axes) + " pairs");
            return flat_from(turned(margins));
          }};
}

std::vector<KerasSample> margin_samples(const std::string& argument, std::size_t axes) {
  Json::Array uneven;
  Json::Array even;
  Shape image{2};
  for (std::size_t i = 0; i < axes; ++i) {
    uneven.push_back(Json::Array{i, 2 - i});
    even.push_back(i + 1);
    image.push_back(static_cast<std::int64_t>(i) + 8);
  }
  image.push_back(3);
  std::vector<KerasSample> result{
      {"default", {}, {image}},
      {"one integer", {{argument, 2}}, {image}},
      {"pairs", {{argument, axes == 1 ? Json(Json::Array{0, 2}) : Json(uneven)}}, {image}},
  };
  if (axes == 1) return result;
  result.push_back({"an integer an axis", {{argument, even}}, {image}});
  std::rotate(image.begin() + 1, image.end() - 1, image.end());
  result.push_back({"channels_first", {{argument, uneven}, {"data_format", "channels_first"}}, {image}});
  return result;
}

std::string take_padding_word(Json::Object& config, const std::vector<std::string>& words) {
  const Json* padding = config.find("padding");
  if (!padding) throw MalformedFile("its configuration has no \"padding\"");
  const Json word = *padding;
  if (!word.is_string() || std::find(words.begin(), words.end(), word.as_string()) == words.end())
    throw Unsupported("the padding " + quoted(word) + " is not known");
  config.erase("padding");
  return word.as_string();
}

Handle emit_zero_padding(const std::vector<Margins>& margins, const Attributes& attributes, KerasEmitter& emitter,
                         Handle input, const std::string& suffix) {
  Attributes padding;
  padding.set("padding", flat_from(margins));
  padding.set("data_format", attributes.at("data_format"));
  return emitter.layer(suffix, "ZeroPad" + torch_suffix(margins.size()), padding, input);
}

Handle emit_constant_padding(const std::vector<Margins>& margins, double value, const Attributes& attributes,
                             KerasEmitter& emitter, Handle input) {
  return emit_padding({"constant", value}, margins, attributes, emitter, input);
}

Handle emit_cropping(const std::vector<Margins>& margins, const Attributes& attributes, KerasEmitter& emitter,
                     Handle input, const std::string& suffix) {
  if (margins.size() == 1 && attributes.text("data_format") == "channels_first")
    return emit_slices(with_other_axes(margins, attributes), emitter, input, suffix);
  const std::string type = "Cropping" + keras_suffix(margins.size());
  std::vector<std::int64_t> flat;
  for (const Margins& axis : margins) flat.insert(flat.end(), {axis.before, axis.after});
  Attributes cropping;
  cropping.set("cropping", flat);
  cropping.set("data_format", attributes.at("data_format"));
  return emitter.layer(suffix, type, cropping, input);
}

Handle emit_padding(const PaddingMode& mode, const std::vector<Margins>& margins, const Attributes& attributes,
                    KerasEmitter& emitter, Handle input, const std::string& suffix) {
  return emit_both(
      mode.mode, margins, input, suffix,
      [&](Handle value, const std::string& own) {
        if (mode.mode == "constant" && mode.value == 0)
          return emit_zero_padding(added(margins), attributes, emitter, value, own);
        return emit_added(mode, with_other_axes(added(margins), attributes), emitter, value, own);
      },
      [&](Handle value, const std::string& own) {
        return emit_cropping(taken(margins), attributes, emitter, value, own);
      });
}

Handle emit_padding_of_all_axes(const PaddingMode& mode, const std::vector<Margins>& margins, KerasEmitter& emitter,
                                Handle input, const std::string& suffix) {
  return emit_both(
      mode.mode, margins, input, suffix,
      [&](Handle value, const std::string& own) { return emit_added(mode, added(margins), emitter, value, own); },
      [&](Handle value, const std::string& own) { return emit_slices(taken(margins), emitter, value, own); });
}

}  // namespace h5bridge
