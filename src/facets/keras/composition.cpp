#include "facets/keras/composition.h"

#include <algorithm>

#include "facets/spec/axes.h"

namespace h5bridge {

using Handle = Composition::Handle;
using Argument = Composition::Argument;

Handle Composition::apply(const std::string& class_name, std::vector<Argument> arguments, SymbolicShape shape,
                          Json::Object config, const std::string& module) {
  return helper(emitter_, prefix_ + std::to_string(++count_), class_name, std::move(arguments), std::move(shape),
                std::move(config), module);
}

Handle Composition::elementwise(const std::string& class_name, std::vector<Argument> arguments, Json::Object config,
                                const std::string& module) {
  SymbolicShape shape;
  for (const Argument& argument : arguments)
    if (const auto* value = std::get_if<Handle>(&argument)) shape = broadcast(shape, emitter_.shape(*value));
  return apply(class_name, std::move(arguments), std::move(shape), std::move(config), module);
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

Handle Composition::cut(Handle x, std::int64_t axis, const keras_ops::Cut& range) {
  return keras_ops::cut(emitter_, prefix_ + std::to_string(++count_), x, {{axis, range}});
}

Handle Composition::concatenate(const std::vector<Handle>& parts, std::int64_t axis) {
  SymbolicShape result = shape(parts.at(0));
  for (std::size_t i = 1; i < parts.size(); ++i) result[axis] = result[axis] + shape(parts[i])[axis];
  return apply("Concatenate", {parts}, std::move(result), {{"axis", axis}});
}

Handle Composition::take(Handle x, std::int64_t axis, const std::vector<std::int64_t>& numbers) {
  SymbolicShape result = shape(x);
  result[axis] = static_cast<std::int64_t>(numbers.size());
  return apply("Take", {x, Json::array(numbers)}, std::move(result), {{"axis", axis}});
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
  if (!first.empty()) x = keras_ops::cut(emitter_, prefix_ + std::to_string(++count_), x, first);
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
