#include <algorithm>
#include <limits>

#include "h5bridge/error.h"
#include "layers/keras_mapping.h"
#include "layers/layer_type.h"

namespace h5bridge::layer_normalization {
namespace {

// Keras's axes: one number for the last axis alone, otherwise a list.
Json axis_config(const Attributes& a, std::int64_t rank) {
  const auto count = static_cast<std::int64_t>(a.integers("normalized_shape").size());
  if (!a.is_none("axes")) return Json::array(a.integers("axes"));
  if (count == 1) return -1;
  Json::Array axes;
  for (std::int64_t axis = rank - count; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

void lift_axis(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const auto rank = static_cast<std::int64_t>(input.size());
  const Json& given = config.at("axis");
  std::vector<std::int64_t> axes;
  if (given.is_array())
    for (const Json& axis : given.as_array()) axes.push_back(resolve_axis(axis.as_integer(), rank));
  else
    axes.push_back(resolve_axis(given.as_integer(), rank));
  std::sort(axes.begin(), axes.end());
  if (axes.empty()) throw MalformedFile("its axis is an empty list");
  Shape shape;
  for (const std::int64_t axis : axes) {
    const auto size = input[axis].value();
    if (!size) throw MalformedFile("a normalised size of its input is open");
    shape.push_back(*size);
  }
  const bool are_last = axes.front() == rank - static_cast<std::int64_t>(axes.size());
  attributes.set("normalized_shape", shape);
  attributes.set("axes", are_last ? AttributeValue{} : AttributeValue(axes));
  config.erase("axis");
}

KerasMapping layer_norm() {
  KerasMapping mapping{.type = "LayerNorm", .class_name = "LayerNormalization"};
  mapping.attributes = {{"eps", "epsilon", spelling::number()}, {"bias", "center", spelling::boolean()}, {"scale", "scale", spelling::boolean()}};
  // rms_scaling divides by a variance-based deviation, and is deprecated.
  mapping.fixed = {{"rms_scaling", false}};
  mapping.carried = carried_for({{"beta", "Zeros"}, {"gamma", "Ones"}}, false);
  mapping.lift = lift_axis;
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const bool affine = a.boolean("elementwise_affine");
    config.set("center", affine && a.boolean("bias"));
    config.set("scale", affine && a.boolean("scale"));
    config.set("axis", axis_config(a, static_cast<std::int64_t>(emitter.input_shapes()[0].size())));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.weights = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    WeightRules result;
    if (a.boolean("elementwise_affine") && a.boolean("scale")) result.rules.push_back({.torch = {"weight"}, .keras = {"gamma"}});
    if (a.boolean("elementwise_affine") && a.boolean("bias")) result.rules.push_back({.torch = {"bias"}, .keras = {"beta"}});
    return result;
  };
  return mapping;
}

// PyTorch's None is the machine epsilon of the input's type.
Spelling epsilon_or_none() {
  return {[](const AttributeValue& value) {
            return Json(std::holds_alternative<std::monostate>(value) ? static_cast<double>(std::numeric_limits<float>::epsilon()) : std::get<double>(value));
          },
          [](const Json& json) { return AttributeValue(json.as_float()); }};
}

KerasMapping rms_norm() {
  KerasMapping mapping{.type = "RMSNorm", .class_name = "RMSNormalization"};
  mapping.attributes = {{"eps", "epsilon", epsilon_or_none()}};
  mapping.lift = lift_axis;
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    if (!a.boolean("elementwise_affine")) throw Unsupported("RMSNorm without a weight has no Keras layer");
    config.set("axis", axis_config(a, static_cast<std::int64_t>(emitter.input_shapes()[0].size())));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.weights = [](const Attributes&, const std::vector<SymbolicShape>&) {
    return WeightRules{.rules = {{.torch = {"weight"}, .keras = {"scale"}}}};
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {layer_norm(), rms_norm()}; }

}  // namespace h5bridge::layer_normalization
