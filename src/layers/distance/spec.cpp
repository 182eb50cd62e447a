// How far vectors are from one another.
#include <limits>

#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::distance {
namespace {

using Shapes = std::vector<SymbolicShape>;

LayerType of_two(const std::string& name, const std::string& summary, const std::string& source,
                 std::vector<AttributeSpec> attributes) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = source;
  type.attributes = std::move(attributes);
  type.operands = {required("x1"), required("x2")};
  type.dtypes = promotes().at_least_float();
  return type;
}

LayerType cosine_similarity() {
  LayerType type = of_two("CosineSimilarity", "cosine of the angle between vectors along an axis",
                          "torch/nn/modules/distance.py; aten/src/ATen/native/Distance.cpp",
                          {integer("dim", 1, "the axis"), number("eps", 1e-8, "the least norm")});
  type.layout = keeps_original_layout();
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape result = broadcast(inputs);
    result.erase(result.begin() + resolve_axis(a.integer("dim"), static_cast<std::int64_t>(result.size())));
    return {result};
  };
  type.samples = {
      {"features", {}, {{3, 7}, {3, 7}}},
      {"last axis", {{"dim", -1}}, {{2, 3, 4}, {2, 3, 4}}},
      {"images", {{"dim", 1}, {"eps", 0.9}}, {{1, 3, 4, 5}, {1, 3, 4, 5}}},
      {"broadcast", {{"dim", 2}}, {{2, 3, 5}, {2, 1, 5}}},
      {"other ranks", {{"dim", -1}, {"eps", 2.5}}, {{3, 2, 5}, {2, 5}}},
  };
  type.samples.back().batch_axes = {0, Sample::kNoBatch};
  return type;
}

LayerType pairwise_distance() {
  LayerType type = of_two("PairwiseDistance", "norm of the difference of vectors along the last axis",
                          "torch/nn/modules/distance.py; aten/src/ATen/native/Distance.cpp",
                          {number("p", 2, "the norm's exponent"), number("eps", 1e-6, "added to the difference"),
                           boolean("keepdim", false, "whether the axis stays, with size 1")});
  type.layout = keeps_original_layout();
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape result = broadcast(inputs);
    if (result.empty()) throw MalformedFile("its inputs have no axis");
    if (a.boolean("keepdim"))
      result.back() = 1;
    else
      result.pop_back();
    return {result};
  };
  type.samples = {
      {"features", {}, {{3, 7}, {3, 7}}},
      {"kept", {{"keepdim", true}}, {{2, 3, 4}, {2, 3, 4}}},
      {"city block", {{"p", 1}, {"eps", 0.25}}, {{3, 7}, {3, 7}}},
      {"cubes", {{"p", 3}}, {{2, 3, 4}, {2, 1, 4}}},
      {"largest", {{"p", std::numeric_limits<double>::infinity()}}, {{3, 7}, {3, 7}}},
      {"smallest", {{"p", -std::numeric_limits<double>::infinity()}, {"keepdim", true}}, {{3, 7}, {3, 7}}},
      {"count", {{"p", 0}, {"eps", 0}}, {{3, 7}, {3, 7}}},
  };
  type.samples.back().ids_below = 3;
  return type;
}

LayerType cdist() {
  LayerType type =
      of_two("cdist", "norms of the differences of each vector of the first input and each of the second",
             "torch/functional.py",
             {number("p", 2, "the norm's exponent"),
              text("compute_mode", "use_mm_for_euclid_dist_if_necessary",
                   {"use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"},
                   "whether by way of products of matrices")});
  type.shapes = [](const Attributes&, const Shapes& inputs) -> Shapes {
    for (const SymbolicShape& input : inputs)
      if (input.size() < 2)
        throw MalformedFile("its input has shape " + to_string(input) + ", expected at least 2 axes");
    const SymbolicShape& a = inputs.at(0);
    const SymbolicShape& b = inputs.at(1);
    if (a.back().value() && b.back().value() && a.back() != b.back()) throw_misfit(a, b);
    SymbolicShape result = broadcast(SymbolicShape(a.begin(), a.end() - 2), SymbolicShape(b.begin(), b.end() - 2));
    result.push_back(a[a.size() - 2]);
    result.push_back(b[b.size() - 2]);
    return {result};
  };
  type.samples = {
      {"batches", {}, {{2, 3, 4}, {2, 5, 4}}},
      {"matrices", {{"compute_mode", "donot_use_mm_for_euclid_dist"}}, {{3, 4}, {5, 4}}},
      {"by products", {{"compute_mode", "use_mm_for_euclid_dist"}}, {{2, 3, 4}, {2, 5, 4}}},
      {"city block", {{"p", 1}}, {{2, 3, 4}, {2, 3, 4}}},
      {"cubes", {{"p", 3}}, {{1, 2, 3, 4}, {1, 1, 3, 4}}},
      {"largest", {{"p", std::numeric_limits<double>::infinity()}}, {{2, 3, 4}, {2, 5, 4}}},
  };
  type.samples[1].batch_axes = {0, Sample::kNoBatch};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {cosine_similarity(), pairwise_distance(), cdist()}; }

}  // namespace h5bridge::distance
