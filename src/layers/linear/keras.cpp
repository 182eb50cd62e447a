#include <algorithm>

#include "facets/keras/composition.h"
#include "h5bridge/error.h"
#include "layers/linear/einsum.h"
#include "layers/linear/function.h"
#include "model/quoted.h"

namespace h5bridge::linear {
namespace {

using Handle = KerasEmitter::Handle;
using Shapes = std::vector<SymbolicShape>;

constexpr const char* kNumpy = "keras.src.ops.numpy";

// Objects for the settings that say nothing of the computation.
Json::Object carried_objects() {
  Json::Object result;
  const auto object = [](const std::string& module, const std::string& class_name, Json::Object config) {
    return Json::Object{{"module", "keras." + module},
                        {"class_name", class_name},
                        {"config", std::move(config)},
                        {"registered_name", nullptr}};
  };
  for (const std::string weight : {"kernel", "bias"}) {
    result.set(weight + "_initializer",
               object("initializers", "RandomNormal", {{"mean", 0.0}, {"stddev", 0.1}, {"seed", 3}}));
    result.set(weight + "_regularizer", object("regularizers", "L2", {{"l2", 0.01}}));
    result.set(weight + "_constraint", object("constraints", "NonNeg", {}));
  }
  result.set("activity_regularizer", object("regularizers", "L1", {{"l1", 0.01}}));
  return result;
}

// Keras's layer wants two axes at least (keras/src/layers/core/dense.py), so that a vector is a row of one.
KerasEmitter::Results lower_dense(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  const SymbolicShape& input = emitter.input_shapes()[0];
  if (input.size() != 1) return KerasMapping::emit_main(a, std::move(config), emitter);
  const Handle row = named(emitter, "row").apply("ExpandDims", {emitter.input(0)}, {1, input[0]}, {{"axis", 0}});
  const Handle product = emitter
                             .call({.class_name = "Dense",
                                    .config = std::move(config),
                                    .arguments = {row},
                                    .outputs = {{1, emitter.output_shape()[0]}}})
                             .at(0);
  return named(emitter, "vector").apply("Squeeze", {product}, emitter.output_shape(), {{"axis", 0}});
}

KerasMapping dense() {
  KerasMapping mapping{.type = "Linear", .class_name = "Dense"};
  mapping.attributes = {
      {"out_features", "units", spelling::integer()},
      {"activation", "activation", spelling::activation()},
      {"bias", "use_bias", spelling::boolean()},
  };
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}, {"bias", "Zeros"}});
  mapping.carried.set("quantization_config", nullptr);
  mapping.lower = lower_dense;
  mapping.derive = [](Attributes& attributes, const Shapes& inputs) {
    const auto features = inputs.at(0).back().value();
    if (!features) throw MalformedFile("the last size of its input is open");
    attributes.set("in_features", *features);
  };
  mapping.weights = [](const Attributes& attributes, const Shapes&) {
    WeightRules result{.rules = {{.torch = {"weight"}, .keras = {"kernel"}, .steps = {PermuteAxes{{1, 0}}}}}};
    if (attributes.boolean("bias")) result.rules.push_back({.torch = {"bias"}, .keras = {"bias"}});
    return result;
  };
  Json::Object objects = carried_objects();
  objects.set("units", 4);
  mapping.samples = {
      {"plain", {{"units", 4}}, {{3, 5}}},
      {"over four axes", {{"units", 4}}, {{3, 2, 6, 5}}},
      {"activation", {{"units", 4}, {"activation", "softmax"}}, {{3, 6, 5}}},
      {"without bias", {{"units", 4}, {"use_bias", false}}, {{3, 5}}},
      {"objects", objects, {{3, 5}}},
  };
  return mapping;
}

// Keras's argument output_shape: the sizes of the result without the batch and without what the equation's dots stand
// for.
Json stated_shape(const Einsum& einsum, const SymbolicShape& input, const SymbolicShape& output) {
  const auto elided = static_cast<std::ptrdiff_t>(elided_axes(einsum, input));
  const bool left = einsum.ellipsis == Einsum::Ellipsis::Left;
  Json::Array result;
  for (auto size = output.begin() + (left ? std::max<std::ptrdiff_t>(elided, 1) : 1);
       size != output.end() - (left ? 0 : elided); ++size)
    result.push_back(size->value() ? Json(*size->value()) : Json());
  return result;
}

// The product with the first input is an EinsumDense, that with the second an operation. No layer has a bias alone: it
// is the weight of a Dense of ones.
KerasMapping bilinear() {
  KerasMapping mapping{.type = "Bilinear", .class_name = "EinsumDense"};
  mapping.written_only = true;
  mapping.weights = [](const Attributes& a, const Shapes&) {
    WeightRules result{.rules = {{.torch = {"weight"}, .keras = {"kernel"}, .steps = {PermuteAxes{{1, 2, 0}}}}}};
    const std::int64_t size = a.integer("out_features");
    if (a.boolean("bias"))
      result.rules.push_back(
          {.torch = {"bias"}, .keras = {"kernel"}, .steps = {ChangeShape{{size}, {1, size}}}, .part = "bias"});
    return result;
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const std::int64_t in2 = a.integer("in2_features"), out = a.integer("out_features");
    SymbolicShape shape = emitter.input_shapes()[0];
    if (shape.size() > 20) throw Unsupported("its inputs have " + std::to_string(shape.size()) + " axes");
    // A letter for each axis before the last: where dots stand for more than two, Keras gets their order wrong.
    const std::string outer = std::string("abcdefghklmnpqrstuvw").substr(0, shape.size() - 1);
    shape.back() = in2;
    shape.push_back(out);
    const std::string equation = outer + "i,ijo->" + outer + "jo";
    Json::Object einsum = config;
    einsum.set("equation", equation);
    einsum.set("output_shape", stated_shape(parse_einsum(equation), emitter.input_shapes()[0], shape));
    const Handle first = emitter
                             .call({.class_name = "EinsumDense",
                                    .config = std::move(einsum),
                                    .arguments = {emitter.input(0)},
                                    .outputs = {shape}})
                             .at(0);
    const Handle product = named(emitter, "product")
                               .apply("Einsum", {first, emitter.input(1)}, emitter.output_shape(),
                                      {{"subscripts", outer + "jo," + outer + "j->" + outer + "o"}});
    if (!a.boolean("bias")) return product;
    SymbolicShape one = emitter.output_shape();
    one.back() = 1;
    const Handle column = named(emitter, "column").apply("Max", {product}, one, {{"axis", -1}, {"keepdims", true}});
    const Handle ones = named(emitter, "ones").apply("OnesLike", {column}, one);
    Json::Object units = config;
    units.set("units", out);
    units.set("use_bias", false);
    const Handle bias = emitter
                            .call({.suffix = "bias",
                                   .class_name = "Dense",
                                   .config = std::move(units),
                                   .arguments = {ones},
                                   .outputs = {emitter.output_shape()}})
                            .at(0);
    return named(emitter, "sum").apply("Add", {product, bias}, emitter.output_shape());
  };
  return mapping;
}

// The sizes of the result's axes that stand in the equation, as far as Keras's argument and the input tell.
SymbolicShape result_sizes(const Einsum& einsum, const SymbolicShape& input, const Json& stated) {
  const bool has_batch = einsum.ellipsis != Einsum::Ellipsis::Left || elided_axes(einsum, input) == 0;
  SymbolicShape result;
  if (has_batch) result.push_back(input.at(0));
  for (const Json& size : stated.is_array() ? stated.as_array() : Json::Array{stated})
    result.push_back(size.is_null() ? Size::symbol("open") : Size(size.as_integer()));
  if (result.size() != einsum.output.size())
    throw MalformedFile("its output_shape " + quoted(stated) + " does not fit the equation's axes " + einsum.output);
  return result;
}

// The shapes of the weight and the bias follow from the input's and the result's.
void lift_einsum(Json::Object& config, Attributes& attributes, const Shapes& inputs) {
  const Einsum einsum = parse_einsum(config.at("equation").as_string());
  const SymbolicShape& input = inputs.at(0);
  const std::size_t first = einsum.ellipsis == Einsum::Ellipsis::Left ? elided_axes(einsum, input) : 0;
  elided_axes(einsum, input);  // the number of axes
  const SymbolicShape output = result_sizes(einsum, input, config.at("output_shape"));
  Shape weight;
  for (const char axis : einsum.weight) {
    const std::size_t in = einsum.input.find(axis), out = einsum.output.find(axis);
    if (in == std::string::npos && out == std::string::npos)
      throw MalformedFile("the equation's axis \"" + std::string(1, axis) + "\" is the weight's alone");
    const auto size = (out != std::string::npos ? output[out] : input[first + in]).value();
    if (!size) throw MalformedFile("the weight's axis \"" + std::string(1, axis) + "\" has an open size");
    weight.push_back(*size);
  }
  attributes.set("weight_shape", weight);
  if (const Json& bias_axes = config.at("bias_axes"); !bias_axes.is_null())
    attributes.set("bias_shape", einsum_bias_shape(einsum, bias_axes.as_string(), einsum_shape(einsum, input, weight)));
  config.erase("output_shape");
}

KerasMapping einsum_dense() {
  KerasMapping mapping{.type = "EinsumDense", .class_name = "EinsumDense"};
  mapping.attributes = {
      {"equation", "equation", spelling::text()},
      {"activation", "activation", spelling::activation()},
      {"bias_axes", "bias_axes", spelling::text_or_none()},
  };
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}, {"bias", "Zeros"}});
  mapping.carried.set("quantization_config", nullptr);
  mapping.lift = lift_einsum;
  mapping.weights = [](const Attributes& a, const Shapes&) {
    WeightRules result{.rules = {{.torch = {"weight"}, .keras = {"kernel"}}}};
    if (!a.is_none("bias_shape")) result.rules.push_back({.torch = {"bias"}, .keras = {"bias"}});
    return result;
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    config.set("output_shape",
               stated_shape(parse_einsum(a.text("equation")), emitter.input_shapes()[0], emitter.output_shape()));
    return emitter.main(std::move(config), emitter.inputs());
  };
  const auto einsum = [&](const std::string& what, const std::string& equation, Json stated, Shape input,
                          Json::Object more = {}) {
    more.set("equation", equation);
    more.set("output_shape", std::move(stated));
    mapping.samples.push_back({what, std::move(more), {std::move(input)}});
  };
  einsum("matrix", "ab,bc->ac", 4, {3, 5});
  einsum("open sizes", "abc,cd->abd", Json::Array{nullptr, 4}, {3, 6, 5}, {{"bias_axes", "d"}, {"activation", "relu"}});
  einsum("heads", "abc,cde->abde", Json::Array{nullptr, 2, 4}, {3, 6, 5}, {{"bias_axes", "de"}});
  einsum("dots at the left", "...x,xy->...y", 4, {3, 6, 5}, {{"bias_axes", "y"}});
  einsum("dots at the right", "ax...,xy->ay...", Json::Array{4}, {3, 5, 6}, {{"bias_axes", "y"}});
  Json::Object objects = carried_objects();
  objects.set("bias_axes", "c");
  einsum("objects", "ab,bc->ac", Json::Array{4}, {3, 5}, objects);
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result{dense(), einsum_dense(), bilinear()};
  for (KerasMapping& mapping : function_mappings()) result.push_back(std::move(mapping));
  return result;
}

}  // namespace h5bridge::linear
