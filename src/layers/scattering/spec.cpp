// What puts elements at places that a tensor names.
#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::scattering {
namespace {

using Shapes = std::vector<SymbolicShape>;

LayerType one_hot() {
  LayerType type;
  type.name = "one_hot";
  type.summary = "for each integer a row of zeros, but for a one at its place";
  type.source = "torch/nn/functional.py; keras/src/ops/nn.py";
  type.attributes = {required_integer("num_classes", "the length of a row"),
                     dtype_attribute(DType::Int64,
                                     {DType::Int64, DType::Int32, DType::Float32, DType::Float16, DType::BFloat16,
                                      DType::Float64, DType::Bool},
                                     "Keras's: its element type")};
  type.check = [](const Attributes& a) {
    if (a.integer("num_classes") < 1)
      throw Unsupported("the number of classes would depend on the elements; num_classes has to say it");
  };
  type.dtypes = of_attribute("dtype");
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape result = inputs.at(0);
    result.push_back(a.open_integer("num_classes"));
    return {result};
  };
  const auto add = [&](const std::string& what, Json::Object attributes, Shape ids) {
    type.samples.push_back(
        {.what = what, .attributes = std::move(attributes), .inputs = {std::move(ids)}, .ids_below = 4});
  };
  add("labels", {{"num_classes", 4}}, {5});
  add("sequences", {{"num_classes", 6}}, {2, 3});
  add("an open number of classes", {{"num_classes", "batch + 6"}}, {3, 4});
  add("as floats", {{"num_classes", 5}, {"dtype", "float32"}}, {3, 4});
  return type;
}

// inputs: what is written over, the places along an axis, and the elements.
LayerType scatter(const std::string& name, const std::string& summary, bool takes_number) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = "torch/_tensor_docs.py";
  type.attributes = {required_integer("dim", "the axis")};
  if (takes_number)
    type.attributes.push_back(or_none(scalar("value", std::int64_t{0}, "a number in place of the third input")));
  Operand elements = required("src");
  if (takes_number) elements = or_attribute(std::move(elements), "value");
  type.operands = {required("input"), required("index"), std::move(elements)};
  type.dtypes = keeps();
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    const bool has_number = a.contains("value") && !a.is_none("value");
    if (inputs.size() + (has_number ? 1 : 0) != 3)
      throw MalformedFile("it needs places, and a tensor or a number to put there");
    resolve_axis(a.integer("dim"), static_cast<std::int64_t>(inputs.at(0).size()));
    for (const SymbolicShape& input : inputs)
      if (input.size() != inputs[0].size()) throw_misfit(inputs[0], input);
    return {inputs[0]};
  };
  const auto add = [&](const std::string& what, Json::Object attributes, std::vector<Shape> inputs,
                       std::vector<std::int64_t> places) {
    type.samples.push_back({.what = what,
                            .attributes = std::move(attributes),
                            .inputs = std::move(inputs),
                            .integers = {{1, std::move(places)}}});
  };
  add("last axis", {{"dim", -1}}, {{2, 5}, {2, 3}, {2, 3}}, {4, 0, 2, 1, 3, 0});
  add("channels", {{"dim", 1}}, {{2, 4, 3}, {2, 2, 3}, {2, 2, 3}}, {0, 3, 1, 2, 1, 0, 3, 2, 2, 0, 1, 1});
  if (takes_number) add("a number", {{"dim", 1}, {"value", 0.75}}, {{3, 5}, {3, 2}}, {4, 1, 0, 0, 2, 3});
  add("places named twice", {{"dim", 1}}, {{2, 4}, {2, 3}, {2, 3}}, {1, 1, 3, 0, 2, 2});
  // Places for a part of the other axes only: Keras's operations have them for all.
  type.samples.push_back({.what = "a part",
                          .attributes = {{"dim", 1}},
                          .inputs = {{2, 4, 3}, {2, 2, 2}, {2, 3, 3}},
                          .in_keras = false,
                          .integers = {{1, {0, 3, 1, 2, 1, 0, 3, 2}}}});
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {
      one_hot(),
      scatter("scatter",
              "the first input with the elements of the third, or a number, at places along an axis; of elements for "
              "one place the last counts",
              true),
      scatter("scatter_add", "the first input with the elements of the third added at places along an axis", false),
  };
}

}  // namespace h5bridge::scattering
