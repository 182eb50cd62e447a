#include <algorithm>
#include <limits>

#include "facets/keras/affine.h"
#include "facets/keras/composition.h"
#include "facets/keras/not_of_integers.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/layer_normalization/function.h"

namespace h5bridge::layer_normalization {
namespace {

// Keras's axes: one number for the last axis alone, otherwise a list.
Json axes_config(const Attributes& a, std::int64_t rank) {
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
  mapping.attributes = {{"eps", "epsilon", spelling::number()},
                        {"bias", "center", spelling::boolean()},
                        {"scale", "scale", spelling::boolean()},
                        {"rms_scaling", "rms_scaling", spelling::boolean(), false}};
  mapping.carried = carried_for({{"beta", "Zeros"}, {"gamma", "Ones"}}, false);
  mapping.lift = lift_axis;
  mapping.derive = [](Attributes& attributes, const std::vector<SymbolicShape>&) {
    if (!attributes.boolean("rms_scaling")) return;  // has a weight, and no bias, whatever else it says
    attributes.set("scale", true);
    attributes.set("bias", false);
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    set_affine(a, config);
    config.set("axis", axes_config(a, static_cast<std::int64_t>(emitter.input_shapes()[0].size())));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.weights = [](const Attributes& a, const std::vector<SymbolicShape>&) { return affine_weights(a); };
  mapping.samples = {
      {"plain", {}, {{3, 4, 5}}},
      {"axes", {{"axis", Json::Array{2, 3}}, {"epsilon", 0.01}}, {{2, 3, 4, 5}}},
      {"axes apart", {{"axis", Json::Array{3, 1}}}, {{2, 3, 4, 5}}},
      {"training", affine_training_settings(), {{3, 5}}},
      {"no center", {{"center", false}}, {{3, 5}}},
      {"no scale", {{"scale", false}}, {{3, 5}}},
      {"rms_scaling", {{"rms_scaling", true}}, {{3, 4, 5}}},
  };
  return mapping;
}

// PyTorch's None is the machine epsilon of the input's type.
Spelling epsilon_or_none() {
  return {[](const AttributeValue& value) {
            return Json(std::holds_alternative<std::monostate>(value)
                            ? static_cast<double>(std::numeric_limits<float>::epsilon())
                            : std::get<double>(value));
          },
          [](const Json& json) {
            return AttributeValue(json.is_null() ? 1e-7 : json.as_float());
          }};  // Keras's None is its epsilon()
}

Json axes_of(const Attributes& a, KerasEmitter& emitter) {
  return axes_config(a, static_cast<std::int64_t>(emitter.input_shapes()[0].size()));
}

KerasMapping rms_norm() {
  KerasMapping mapping{.type = "RMSNorm", .class_name = "RMSNormalization"};
  mapping.attributes = {{"eps", "epsilon", epsilon_or_none()}};
  mapping.lift = lift_axis;
  mapping.fits = [](const Attributes& a, const std::vector<SymbolicShape>&) { return a.boolean("elementwise_affine"); };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    config.set("axis", axes_of(a, emitter));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.weights = [](const Attributes&, const std::vector<SymbolicShape>&) {
    return WeightRules{.rules = {{.torch = {"weight"}, .keras = {"scale"}}}};
  };
  mapping.samples = {{"plain", {}, {{3, 4, 5}}},
                     {"axes", {{"axis", Json::Array{2, 3}}, {"epsilon", 0.01}}, {{2, 3, 4, 5}}}};
  return mapping;
}

// The operation of keras.ops, with x alone, whose call takes the parameters `call`.
KerasMapping without_weights(const std::string& type, const std::string& class_name,
                             const std::vector<std::string>& call) {
  KerasMapping mapping{.type = type, .class_name = class_name};
  mapping.module = "keras.src.ops.nn";
  mapping.attributes = {{"eps", "epsilon", epsilon_or_none()}};
  mapping.lift = [](Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    attributes.set("elementwise_affine", false);
    lift_axis(config, attributes, inputs);
  };
  mapping.call = call;
  mapping.lower = [class_name, operands = call.size()](const Attributes& a, Json::Object config,
                                                       KerasEmitter& emitter) -> KerasEmitter::Results {
    config.set("axis", axes_of(a, emitter));
    // Without the None, Keras 3.15's operations cannot tell their output's shape.
    std::vector<KerasEmitter::Argument> arguments{emitter.input(0)};
    arguments.resize(operands, Json());
    return Composition(emitter).last(class_name, std::move(arguments), std::move(config), kNN);
  };
  return mapping;
}

KerasMapping rms_norm_alone() {
  KerasMapping mapping = without_weights("RMSNorm", "RMSNorm", {"x", "scale"});
  mapping.fits = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    return !a.boolean("elementwise_affine");
  };
  mapping.samples = {{"plain", {{"axis", -1}, {"epsilon", 0.01}}, {{3, 4, 5}}, {{"scale", nullptr}}},
                     {"axes", {{"axis", Json::Array{1, 2}}}, {{3, 4, 5}}, {{"scale", nullptr}}}};
  return mapping;
}

// What the function layer_norm does not do.
KerasMapping deviation_norm_alone() {
  KerasMapping mapping = without_weights("LayerNorm", "LayerNorm", {"x", "gamma", "beta"});
  mapping.attributes.push_back({"rms_scaling", "rms_scaling", spelling::boolean()});
  mapping.reads = [](const Json::Object& config) {
    const Json* scaling = config.find("rms_scaling");
    return scaling && *scaling == Json(true);
  };
  mapping.accepts = [](const std::vector<SymbolicShape>& inputs) { return inputs.size() == 1; };
  mapping.fits = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    return a.boolean("rms_scaling") && !a.boolean("elementwise_affine");
  };
  mapping.samples = {{"rms_scaling",
                      {{"axis", Json::Array{1, 2}}, {"epsilon", 0.01}, {"rms_scaling", true}},
                      {{3, 4, 5}},
                      {{"gamma", nullptr}, {"beta", nullptr}}}};
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result{deviation_norm_alone(), layer_norm(), rms_norm(), rms_norm_alone()};
  // Keras cuts off what comes of them.
  for (KerasMapping& mapping : result) mapping.of_integers = not_of_integers;
  for (KerasMapping& mapping : function_mappings()) result.push_back(std::move(mapping));
  return result;
}

}  // namespace h5bridge::layer_normalization
