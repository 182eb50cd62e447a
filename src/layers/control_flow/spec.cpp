// What is computed only where a condition says so. The calls that make either of the two tensors stand in the graph
// like all others; which of them are needed for one alone is passes/branches.h's to say.
#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::control_flow {
namespace {

using Shapes = std::vector<SymbolicShape>;

Shapes shapes_of_cond(const Attributes&, const Shapes& inputs) {
  for (const Size& size : inputs.at(0))
    if (size != Size(1))
      throw MalformedFile("its condition has shape " + to_string(inputs[0]) + ", expected one truth value");
  if (inputs.at(1) != inputs.at(2)) throw_misfit(inputs[1], inputs[2]);
  return {inputs[1]};
}

LayerType cond() {
  LayerType type;
  type.name = "cond";
  type.summary =
      "the second input, where the first, one truth value, is true, else the third; only that one is computed";
  type.source = "torch/_higher_order_ops/cond.py";
  type.operands = {required("pred"), needed_if("pred", true, required("input")),
                   needed_if("pred", false, required("other"))};
  type.dtypes = promotes_inputs({1, 2});
  type.layout = any_layout();
  type.shapes = shapes_of_cond;
  const auto add = [&](const std::string& what, std::int64_t condition, const Shape& shape) {
    type.samples.push_back({.what = what,
                            .attributes = {},
                            .inputs = {{}, shape, shape},
                            .batch_axes = {Sample::kNoBatch, 0, 0},
                            .integers = {{0, {condition}}}});
  };
  add("true", 1, {3, 7});
  add("false", 0, {3, 7});
  add("images", 1, {2, 3, 4, 5});
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {cond()}; }

}  // namespace h5bridge::control_flow
