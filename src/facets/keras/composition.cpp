#include "facets/keras/composition.h"

#include <algorithm>
#include <cctype>

#include "facets/spec/axes.h"

namespace h5bridge {

using Handle = Composition::Handle;
using Argument = Composition::Argument;

namespace keras_ops {

Json slice(const Cut& cut) {
  const Json::Object range{{"start", cut.start == 0 ? Json() : Json(cut.start)},
                           {"stop", cut.stop ? Json(*cut.stop) : Json()},
                           {"step", cut.step == 1 ? Json() : Json(cut.step)}};
  return Json::Object{{"class_name", "__slice__"}, {"config", range}};
}

}  // namespace keras_ops

namespace {

Size length_of(const keras_ops::Cut& cut, const Size& size) {
  const Size stop = !cut.stop ? size : *cut.stop < 0 ? size + Size(*cut.stop) : Size(*cut.stop);
  return (stop - Size(cut.start) + Size(cut.step - 1)).floor_divide(cut.step);
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

std::string Composition::next_suffix(const std::string& class_name) {
  switch (names_) {
    case Names::Numbered: return prefix_ + std::to_string(++count_);
    case Names::Classes: return prefix_ + lower_case(class_name);
    case Names::Given: break;
  }
  return prefix_;
}

Composition& Composition::with(const std::string& parameter, Json constant) {
  constants_.emplace_back(parameter, std::move(constant));
  return *this;
}

Handle Composition::apply(const std::string& class_name, std::vector<Argument> arguments, SymbolicShape shape,
                          Json::Object config, const std::string& module) {
  return emitter_
      .call({.suffix = next_suffix(class_name),
             .module = module,
             .class_name = class_name,
             .config = std::move(config),
             .arguments = std::move(arguments),
             .keywords = std::exchange(constants_, {}),
             .outputs = {std::move(shape)}})
      .at(0);
}

Handle Composition::last(const std::string& class_name, std::vector<Argument> arguments, Json::Object config,
                         const std::string& module) {
  return named(emitter_, "")
      .apply(class_name, std::move(arguments), emitter_.output_shape(), std::move(config), module);
}

Handle Composition::elementwise(const std::string& class_name, std::vector<Argument> arguments, Json::Object config,
                                const std::string& module) {
  SymbolicShape shape;
  for (const Argument& argument : arguments)
    if (const auto* value = std::get_if<Handle>(&argument)) shape = broadcast(shape, emitter_.shape(*value));
  return apply(class_name, std::move(arguments), std::move(shape), std::move(config), module);
}

Handle Composition::scaled(Handle x, double factor) {
  return factor == 1 ? x : with("x2", factor).elementwise("Multiply", {x});
}

Handle Composition::reduce(const std::string& class_name, Handle x, std::int64_t axis, bool keepdims,
                           const std::string& module) {
  SymbolicShape result = shape(x);
  if (keepdims)
    result[axis] = 1;
  else
    result.erase(result.begin() + axis);
  return apply(class_name, {x}, std::move(result), {{"axis", axis}, {"keepdims", keepdims}}, module);
}

Handle Composition::reduce(const std::string& class_name, Handle x, const std::vector<std::int64_t>& axes) {
  SymbolicShape result = shape(x);
  for (const std::int64_t axis : axes) result.at(axis) = 1;
  return apply(class_name, {x}, std::move(result), {{"axis", Json::array(axes)}, {"keepdims", true}});
}

Handle Composition::expand(Handle x, std::int64_t axis) {
  SymbolicShape result = shape(x);
  axis = resolve_axis(axis, rank(x) + 1);
  result.insert(result.begin() + axis, Size(1));
  return apply("ExpandDims", {x}, std::move(result), {{"axis", axis}});
}

Handle Composition::squeeze(Handle x, std::int64_t axis) {
  SymbolicShape result = shape(x);
  result.erase(result.begin() + axis);
  return apply("Squeeze", {x}, std::move(result), {{"axis", axis}});
}

Handle Composition::transpose(Handle x, const std::vector<std::int64_t>& axes) {
  SymbolicShape result;
  for (const std::int64_t axis : axes) result.push_back(shape(x)[axis]);
  return apply("Transpose", {x}, std::move(result), {{"axes", Json::array(axes)}});
}

Handle Composition::cut(Handle x, const std::map<std::int64_t, keras_ops::Cut>& cuts) {
  SymbolicShape result = shape(x);
  Json::Array key;
  for (std::size_t axis = 0; axis < result.size(); ++axis) {
    const auto found = cuts.find(static_cast<std::int64_t>(axis));
    const keras_ops::Cut range = found == cuts.end() ? keras_ops::Cut{} : found->second;
    key.push_back(keras_ops::slice(range));
    result[axis] = length_of(range, result[axis]);
  }
  return with("key", key).apply("GetItem", {x}, std::move(result));
}

Handle Composition::concatenate(const std::vector<Handle>& parts, std::int64_t axis) {
  SymbolicShape result = shape(parts.at(0));
  for (std::size_t i = 1; i < parts.size(); ++i) result.at(axis) = result[axis] + shape(parts[i])[axis];
  return apply("Concatenate", {parts}, std::move(result), {{"axis", axis}});
}

Handle Composition::take(Handle x, std::int64_t axis, const std::vector<std::int64_t>& numbers) {
  SymbolicShape result = shape(x);
  result[axis] = static_cast<std::int64_t>(numbers.size());
  return apply("Take", {x, Json::array(numbers)}, std::move(result), {{"axis", axis}});
}

Handle Composition::take(Handle x, std::int64_t axis, Handle indices) {
  SymbolicShape result = shape(x);
  const SymbolicShape& taken = shape(indices);
  result.erase(result.begin() + axis);
  result.insert(result.begin() + axis, taken.begin(), taken.end());
  return apply("Take", {x, indices}, std::move(result), {{"axis", axis}});
}

Handle Composition::take_along(Handle x, Handle indices, std::int64_t axis) {
  return apply("TakeAlongAxis", {x, indices}, shape(indices), {{"axis", axis}});
}

Handle Composition::ones_along(Handle x, const std::vector<std::int64_t>& axes) {
  std::map<std::int64_t, keras_ops::Cut> first;
  for (std::int64_t axis = 0; axis < rank(x); ++axis)
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) first[axis] = {.stop = 1};
  SymbolicShape result = shape(x);
  for (const auto& [axis, cut] : first) result[axis] = 1;
  if (!first.empty()) x = cut(x, first);
  return apply("OnesLike", {x}, std::move(result), {{"dtype", "int32"}});
}

Handle Composition::positions(Handle x, std::int64_t axis) {
  const Handle ones = ones_along(x, {axis});
  return elementwise("Subtract", {apply("Cumsum", {ones}, shape(ones), {{"axis", axis}}), Json(1)});
}

Argument Composition::size(Handle x, std::int64_t axis) {
  if (const auto known = shape(x)[axis].value()) return Json(*known);
  return reduce("Sum", ones_along(x, {axis}), axis, true);
}

}  // namespace h5bridge
