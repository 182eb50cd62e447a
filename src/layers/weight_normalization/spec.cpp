// A weight as its direction and its length, which torch.nn.utils.weight_norm computes in each call.
#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::weight_normalization {

std::vector<LayerType> layer_types() {
  LayerType type;
  type.name = "_weight_norm";
  type.summary = "g v / |v|, the norm along all axes but one";
  type.source = "torch/nn/utils/weight_norm.py; aten/src/ATen/native/WeightNorm.cpp";
  type.attributes = {integer("dim", 0, "the axis along which each has its own length; -1: all have one")};
  type.operands = {required("v"), required("g")};
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const SymbolicShape &v = inputs.at(0), &g = inputs.at(1);
    const std::int64_t dim = a.integer("dim"), rank = static_cast<std::int64_t>(v.size());
    if (dim >= rank) throw MalformedFile("its \"dim\" is " + std::to_string(dim) + ", of " + to_string(v));
    if (dim >= 0 && g.size() != v.size()) throw_misfit(v, g);
    for (std::int64_t axis = 0; dim >= 0 && axis < rank; ++axis)
      if (axis == dim ? g[axis].value() && v[axis].value() && g[axis] != v[axis] : g[axis].value().value_or(1) != 1)
        throw_misfit(v, g);
    SymbolicShape result = broadcast(inputs);
    if (result.size() != v.size()) throw_misfit(v, g);
    return {result};
  };
  type.check = [](const Attributes& a) {
    if (a.integer("dim") < -1)
      throw MalformedFile("\"dim\" is " + std::to_string(a.integer("dim")) + ", expected -1 or an axis");
  };
  type.samples = {
      {"vectors", {}, {{3, 7}, {3, 1}}},
      {"kernels", {}, {{4, 3, 5}, {4, 1, 1}}},
      {"kernels, the last axis", {{"dim", 2}}, {{4, 3, 5}, {1, 1, 5}}},
      {"one length", {{"dim", -1}}, {{4, 3, 5}, {}}},
  };
  for (std::size_t i = 2; i < type.samples.size(); ++i) type.samples[i].batch_axes = {0, Sample::kNoBatch};
  return {type};
}

}  // namespace h5bridge::weight_normalization
