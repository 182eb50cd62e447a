#include "h5bridge/error.h"
#include "layers/layer_type.h"

namespace h5bridge::linear {
namespace {

// y = x W^T + b works on the last axis. A flatten that the layout pass put into another order is folded into W's columns.
void layout(LayoutCall& call) {
  const Arrangement& input = call.input(0);
  const std::size_t rank = call.input_shape(0).size();
  const bool features_stay_last = input.axes.back() == static_cast<std::int64_t>(rank) - 1;
  if (!features_stay_last) call.require(0, Arrangement::original(rank));
  Arrangement output = call.input(0);
  if (output.flattened) call.reorder_parameter("weight", 1, *output.flattened);
  output.flattened.reset();
  call.set_output(0, output);
}

std::vector<SymbolicShape> shapes(const Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
  SymbolicShape shape = inputs.at(0);
  const Size expected = attributes.integer("in_features");
  if (shape.empty() || shape.back() != expected)
    throw MalformedFile("its input has shape " + to_string(shape) + ", expected " + expected.str() + " as the last size");
  shape.back() = attributes.integer("out_features");
  return {shape};
}

}  // namespace

std::vector<LayerType> layer_types() {
  LayerType linear;
  linear.name = "Linear";
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
      {"fused activation", {{"in_features", 5}, {"out_features", 3}, {"activation", "sigmoid"}}, {{3, 5}}},
  };
  return {linear};
}

}  // namespace h5bridge::linear
