#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/linear/einsum.h"
#include "layers/linear/function.h"

namespace h5bridge::linear {
namespace {

// y = x W^T + b works on the last axis. A flatten that the layout pass put into another order is folded into W's
// columns.
void layout(LayoutCall& call) {
  const Arrangement& input = call.input(0);
  const std::size_t rank = call.input_shape(0).size();
  const bool features_stay_last = input.axes.back() == static_cast<std::int64_t>(rank) - 1;
  if (!features_stay_last) call.require(0, Arrangement::original(rank));
  Arrangement output = call.input(0);
  if (output.flattened) call.reorder_parameter("weight", 1, *output.flattened);
  output.flattened.reset();
  call.set_output(0, output);
  call.keep_image();
}

std::vector<SymbolicShape> shapes(const Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
  SymbolicShape shape = inputs.at(0);
  const Size expected = attributes.integer("in_features");
  if (shape.empty() || shape.back() != expected)
    throw MalformedFile("its input has shape " + to_string(shape) + ", expected " + expected.str() +
                        " as the last size");
  shape.back() = attributes.integer("out_features");
  return {shape};
}

LayerType linear() {
  LayerType linear;
  linear.name = "Linear";
  linear.keeps_rows_apart = LayerType::always;
  linear.integers = Integers::BecomeFloats;
  linear.mask = passes_mask();
  linear.summary = "y = x W^T + b over the last axis";
  linear.source = "torch/nn/modules/linear.py; keras/src/layers/core/dense.py";
  linear.attributes = {
      required_integer("in_features", "size of the last axis of the input"),
      required_integer("out_features", "size of the last axis of the output"),
      boolean("bias", true, "whether b is added"),
      fused_activation(),
  };
  linear.parameters = [](const Attributes& a) {
    std::vector<ParameterSpec> result{{"weight", {a.integer("out_features"), a.integer("in_features")}}};
    if (a.boolean("bias")) result.push_back({"bias", {a.integer("out_features")}});
    return result;
  };
  linear.shapes = shapes;
  linear.layout = {LayoutWish::Neutral, layout};
  linear.samples = {
      {"plain", {{"in_features", 5}, {"out_features", 3}}, {{3, 5}}},
      {"square", {{"in_features", 4}, {"out_features", 4}}, {{1, 4}}},
      {"without bias", {{"in_features", 5}, {"out_features", 2}, {"bias", false}}, {{3, 5}}},
      {"over three axes", {{"in_features", 5}, {"out_features", 3}}, {{3, 4, 5}}},
      {"one feature, five axes", {{"in_features", 1}, {"out_features", 5}}, {{3, 2, 1, 2, 1}}},
      {"fused activation", {{"in_features", 5}, {"out_features", 3}, {"activation", "sigmoid"}}, {{3, 5}}},
  };
  return linear;
}

LayerType bilinear() {
  LayerType type;
  type.name = "Bilinear";
  type.summary = "y = x1^T A x2 + b over the last axes of two inputs";
  type.source = "torch/nn/modules/linear.py";
  type.attributes = {
      required_integer("in1_features", "size of the last axis of the first input"),
      required_integer("in2_features", "size of the last axis of the second input"),
      required_integer("out_features", "size of the last axis of the output"),
      boolean("bias", true, "whether b is added"),
  };
  type.operands = {required("input1"), required("input2")};
  type.parameters = [](const Attributes& a) {
    std::vector<ParameterSpec> result{
        {"weight", {a.integer("out_features"), a.integer("in1_features"), a.integer("in2_features")}}};
    if (a.boolean("bias")) result.push_back({"bias", {a.integer("out_features")}});
    return result;
  };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    SymbolicShape first = inputs.at(0), second = inputs.at(1);
    for (auto [shape, name] : {std::pair(&first, "in1_features"), std::pair(&second, "in2_features")}) {
      if (shape->empty() || shape->back() != Size(a.integer(name)))
        throw MalformedFile("its input has shape " + to_string(*shape) + ", expected " +
                            std::to_string(a.integer(name)) + " as the last size");
      shape->back() = a.integer("out_features");
    }
    if (first != second)
      throw MalformedFile("its inputs have shapes " + to_string(inputs[0]) + " and " + to_string(inputs[1]) +
                          ", which differ before the last axis");
    return std::vector<SymbolicShape>{first};
  };
  const Json::Object sizes{{"in1_features", 4}, {"in2_features", 3}, {"out_features", 5}};
  type.samples = {
      {"plain", sizes, {{3, 4}, {3, 3}}},
      {"over three axes", sizes, {{2, 7, 4}, {2, 7, 3}}},
      {"over four axes", sizes, {{2, 7, 6, 4}, {2, 7, 6, 3}}},
      {"square, without bias",
       {{"in1_features", 4}, {"in2_features", 4}, {"out_features", 4}, {"bias", false}},
       {{1, 4}, {1, 4}}},
  };
  return type;
}

Shape bias_shape(const Attributes& a) { return a.is_none("bias_shape") ? Shape{} : a.integers("bias_shape"); }

LayerType einsum_dense() {
  LayerType type;
  type.name = "EinsumDense";
  type.integers = Integers::BecomeFloats;
  type.summary = "an einsum with a weight, plus a bias (Keras's)";
  type.source = "keras/src/layers/core/einsum_dense.py";
  AttributeSpec equation = text(
      "equation", "", {}, "the einsum of the input and the weight, \"ab,bc->ac\"; dots stand for any number of axes");
  equation.fallback.reset();
  AttributeSpec bias = required_integers(
      "bias_shape", "the bias's shape, which is added to the end of the output's axes; None for no bias");
  type.attributes = {
      equation,           required_integers("weight_shape", "the weight's shape"),
      or_none(bias),      or_none(text("bias_axes", "", {}, "the axes of the output that the bias has")),
      fused_activation(),
  };
  type.parameters = [](const Attributes& a) {
    std::vector<ParameterSpec> result{{"weight", a.integers("weight_shape")}};
    if (!a.is_none("bias_shape")) result.push_back({"bias", bias_shape(a)});
    return result;
  };
  type.check = [](const Attributes& a) {
    parse_einsum(a.text("equation"));
    if (a.is_none("bias_shape") != a.is_none("bias_axes"))
      throw MalformedFile("\"bias_axes\" and \"bias_shape\" go together");
  };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    const Einsum einsum = parse_einsum(a.text("equation"));
    const SymbolicShape result = einsum_shape(einsum, inputs.at(0), a.integers("weight_shape"));
    if (!a.is_none("bias_axes"))
      if (const Shape expected = einsum_bias_shape(einsum, a.text("bias_axes"), result); expected != bias_shape(a))
        throw MalformedFile("\"bias_shape\" is " + to_string(bias_shape(a)) + ", expected " + to_string(expected));
    return std::vector<SymbolicShape>{result};
  };
  type.samples = {
      {"matrix", {{"equation", "ab,bc->ac"}, {"weight_shape", Json::Array{5, 4}}}, {{3, 5}}},
      {"bias",
       {{"equation", "abc,cd->abd"},
        {"weight_shape", Json::Array{5, 4}},
        {"bias_shape", Json::Array{4}},
        {"bias_axes", "d"}},
       {{3, 6, 5}}},
      {"bias along two axes, activation",
       {{"equation", "abc,cde->abde"},
        {"weight_shape", Json::Array{5, 2, 4}},
        {"bias_shape", Json::Array{2, 4}},
        {"bias_axes", "de"},
        {"activation", "sigmoid"}},
       {{3, 6, 5}}},
      {"dots at the left",
       {{"equation", "...x,xy->...y"},
        {"weight_shape", Json::Array{5, 4}},
        {"bias_shape", Json::Array{4}},
        {"bias_axes", "y"}},
       {{3, 6, 5}}},
      {"dots at the right",
       {{"equation", "ax...,xy->ay..."},
        {"weight_shape", Json::Array{5, 4}},
        {"bias_shape", Json::Array{4, 1}},
        {"bias_axes", "y"}},
       {{3, 5, 6}}},
      {"scale of each feature",
       {{"equation", "abc,c->abc"},
        {"weight_shape", Json::Array{5}},
        {"bias_shape", Json::Array{6, 1}},
        {"bias_axes", "b"}},
       {{3, 6, 5}}},
  };
  return type;
}

}  // namespace

Functional linear_function() {
  return {.name = "linear", .arguments = {}, .derive = [](Attributes&, const std::vector<SymbolicShape>&) {}};
}

Functional bilinear_function() {
  return {.name = "bilinear",
          .arguments = {},
          .derive =
              [](Attributes& settings, const std::vector<SymbolicShape>& inputs) {
                const Shape weight = operand_shape(inputs.at(2));
                if (weight.size() != 3)
                  throw MalformedFile("its weight has shape " + to_string(weight) + ", expected 3 axes");
                settings.set("out_features", weight[0]);
                settings.set("in1_features", weight[1]);
                settings.set("in2_features", weight[2]);
              },
          .tensors = 2};
}

namespace {

bool differ(const Size& a, const Size& b) { return a.value() && b.value() && a != b; }

// Unlike Linear's, its weight may have open sizes: what is computed of other inputs.
LayerType linear_type() {
  const Functional row = linear_function();
  LayerType type;
  type.name = row.name;
  type.summary = "what Linear does, with its parameters as inputs";
  type.source = "torch/nn/functional.py; as Linear";
  type.operands = {required("input"), required("weight"), optional("bias")};
  type.shapes = [](const Attributes&, const std::vector<SymbolicShape>& inputs) {
    SymbolicShape shape = inputs.at(0);
    const SymbolicShape& weight = inputs.at(1);
    if (weight.size() != 2)
      throw Unsupported("a weight of shape " + to_string(weight) + " is not known, only one with 2 axes");
    if (shape.empty() || differ(shape.back(), weight[1]))
      throw MalformedFile("its input has shape " + to_string(shape) + ", its weight " + to_string(weight));
    if (inputs.size() > 2 && (inputs[2].size() != 1 || differ(inputs[2][0], weight[0])))
      throw MalformedFile("its bias has shape " + to_string(inputs[2]) + ", its weight " + to_string(weight));
    shape.back() = weight[0];
    return std::vector<SymbolicShape>{shape};
  };
  const auto sample = [&](const std::string& what, std::vector<Shape> inputs) {
    Sample made{.what = what, .attributes = {}, .inputs = std::move(inputs)};
    made.batch_axes.assign(made.inputs.size(), Sample::kNoBatch);
    made.batch_axes[0] = 0;
    type.samples.push_back(std::move(made));
  };
  sample("plain", {{3, 5}, {4, 5}, {4}});
  sample("square, without bias", {{1, 4}, {4, 4}});
  sample("over three axes", {{3, 4, 5}, {2, 5}, {2}});
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {linear(), bilinear(), einsum_dense(), linear_type(), function_of(bilinear(), bilinear_function())};
}

}  // namespace h5bridge::linear
