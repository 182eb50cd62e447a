#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/keras/mapping.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::preprocessing {
namespace {

using Handle = KerasEmitter::Handle;
using Shapes = std::vector<SymbolicShape>;

// The numbers of nested lists, in C order; an array may be serialised as an object.
void collect(const Json& json, std::vector<double>& numbers) {
  if (json.is_object()) return collect(json.at("config").at("value"), numbers);
  if (!json.is_array()) return numbers.push_back(json.as_float());
  for (const Json& element : json.as_array()) collect(element, numbers);
}

std::vector<double> numbers_in(const Json& json) {
  std::vector<double> result;
  collect(json, result);
  if (result.empty()) throw MalformedFile("has no numbers");
  return result;
}

Json number_or_list(const std::vector<double>& numbers) {
  return numbers.size() == 1 ? Json(numbers[0]) : Json::array(numbers);
}

// A number by itself or a list.
Spelling numbers() {
  return {[](const AttributeValue& value) { return number_or_list(std::get<std::vector<double>>(value)); },
          [](const Json& json) { return AttributeValue(numbers_in(json)); }};
}

bool is_last(const Attributes& a, const Shapes& inputs) {
  const auto rank = static_cast<std::int64_t>(inputs.at(0).size());
  return resolve_axis(a.integer("axis"), rank) == rank - 1 ||
         (a.numbers("scale").size() == 1 && a.numbers("offset").size() == 1);
}

KerasMapping rescaling() {
  KerasMapping mapping{.type = "Rescaling",
                       .class_name = "Rescaling",
                       .attributes = {{"scale", "scale", numbers()}, {"offset", "offset", numbers()}}};
  mapping.fits = is_last;
  mapping.samples = {
      {"numbers", {{"scale", 0.5}, {"offset", -1.0}}, {{2, 4, 5, 3}}},
      {"lists", {{"scale", Json::Array{0.5, 2.0, 1.5}}, {"offset", Json::Array{1.0, 2.0, 3.0}}}, {{2, 4, 5, 3}}}};
  return mapping;
}

// Along another axis than the last, as operations.
KerasMapping rescaling_along_axis() {
  KerasMapping mapping{.type = "Rescaling", .class_name = "", .written_only = true};
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const SymbolicShape& shape = emitter.input_shapes()[0];
    const auto axis = resolve_axis(a.integer("axis"), static_cast<std::int64_t>(shape.size()));
    const auto step = [&](const char* suffix, const char* operation, Handle x, const std::vector<double>& values) {
      std::vector<std::int64_t> extents(shape.size(), 1);
      extents[axis] = static_cast<std::int64_t>(values.size());
      return named(emitter, suffix).with("x2", keras_ops::constant(extents, values)).apply(operation, {x}, shape);
    };
    return step("", "Add", step("scale", "Multiply", emitter.input(0), a.numbers("scale")), a.numbers("offset"));
  };
  return mapping;
}

Json nested(const std::vector<double>& values, const Shape& sizes, std::size_t axis, std::size_t& next) {
  if (axis == sizes.size()) return values[next++];
  Json::Array result;
  for (std::int64_t i = 0; i < sizes[axis]; ++i) result.push_back(nested(values, sizes, axis + 1, next));
  return result;
}

KerasMapping normalization() {
  KerasMapping mapping{.type = "Normalization",
                       .class_name = "Normalization",
                       .attributes = {{"invert", "invert", spelling::boolean()}}};
  mapping.lift = [](Json::Object& config, Attributes& attributes, const Shapes& inputs) {
    const SymbolicShape& input = inputs.at(0);
    const Json& given = config.at("axis");
    std::vector<std::int64_t> axes;
    if (!given.is_null())
      for (const Json& axis : given.is_array() ? given.as_array() : Json::Array{given})
        axes.push_back(resolve_axis(axis.as_integer(), static_cast<std::int64_t>(input.size())));
    std::sort(axes.begin(), axes.end());
    Shape sizes;
    for (const std::int64_t axis : axes) {
      const auto size = input[axis].value();
      if (!size) throw MalformedFile("a size of its axes is open");
      sizes.push_back(*size);
    }
    attributes.set("axes", axes);
    attributes.set("sizes", sizes);
    for (const char* name : {"mean", "variance"})
      if (const Json* values = config.find(name); values && !values->is_null())
        attributes.set(name, numbers_in(*values));
    for (const char* name : {"axis", "mean", "variance"}) config.erase(name);
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    config.set("axis", Json::array(a.integers("axes")));
    for (const char* name : {"mean", "variance"}) {
      std::size_t next = 0;
      if (a.is_none(name))
        config.set(name, nullptr);
      else
        config.set(name, a.numbers(name).size() == 1 ? Json(a.numbers(name)[0])
                                                     : nested(a.numbers(name), a.integers("sizes"), 0, next));
    }
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.weights = [](const Attributes& a, const Shapes&) {
    WeightRules result;
    if (a.is_none("mean"))
      for (const char* name : {"mean", "variance", "count"})
        result.rules.push_back({.torch = {name}, .keras = {name}, .trainable = false});
    return result;
  };
  mapping.samples = {
      {"adapted", {}, {{2, 4, 3}}},
      {"axes", {{"axis", Json::Array{1, 3}}, {"invert", true}}, {{2, 3, 4, 5}}},
      {"given", {{"mean", Json::Array{1.0, 2.0, 0.5}}, {"variance", Json::Array{0.5, 2.0, 1.5}}}, {{2, 4, 3}}},
      {"numbers", {{"axis", nullptr}, {"mean", 0.5}, {"variance", 3.0}}, {{2, 4, 3}}},
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {rescaling(), rescaling_along_axis(), normalization()}; }

}  // namespace h5bridge::preprocessing
