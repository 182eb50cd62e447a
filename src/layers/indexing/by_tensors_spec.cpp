#include <algorithm>

#include "facets/spec/axes.h"
#include "facets/spec/function_type.h"
#include "h5bridge/error.h"
#include "layers/indexing/by_tensors.h"

namespace h5bridge::indexing {
namespace {

using Shapes = std::vector<SymbolicShape>;

Shapes shapes(const Attributes& a, const Shapes& inputs) {
  SymbolicShape result = inputs.at(0);
  const std::vector<std::int64_t> axes = axes_in(a, "dims", static_cast<std::int64_t>(result.size()));
  if (axes.size() != inputs.size() - 1)
    throw MalformedFile("it has " + std::to_string(inputs.size() - 1) + " indices for its dims " +
                        to_string(a.integers("dims")));
  if (!std::ranges::is_sorted(axes))
    throw MalformedFile("its dims " + to_string(a.integers("dims")) + " are not in increasing order");
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) result.erase(result.begin() + *axis);
  const SymbolicShape places = broadcast(Shapes(inputs.begin() + 1, inputs.end()));
  result.insert(result.begin() + place_of_indices(axes), places.begin(), places.end());
  return {result};
}

}  // namespace

std::int64_t place_of_indices(const std::vector<std::int64_t>& axes) {
  const bool are_neighbours = axes.back() - axes.front() + 1 == static_cast<std::int64_t>(axes.size());
  return are_neighbours ? axes.front() : 0;
}

LayerType index_by_tensors() {
  LayerType type =
      function_type("index_by_tensors", "elements by tensors of their numbers, one tensor for each of some axes",
                    {required_axes("dims", "these axes, in increasing order")});
  type.operands = {required("input"), list("indices")};
  type.dtypes = keeps();
  type.shapes = shapes;
  const auto add = [&](const std::string& what, std::vector<std::int64_t> dims, std::vector<Shape> inputs,
                       std::map<std::size_t, std::vector<std::int64_t>> integers, std::vector<std::size_t> batch_axes) {
    type.samples.push_back({.what = what,
                            .attributes = {{"dims", Json::array(dims)}},
                            .inputs = std::move(inputs),
                            .batch_axes = std::move(batch_axes),
                            .integers = std::move(integers)});
  };
  constexpr std::size_t kNone = Sample::kNoBatch;
  add("a table of numbers", {1}, {{2, 5, 3}, {2, 2}}, {{1, {0, 4, -1, 2}}}, {0, kNone});
  add("neighbours", {1, 2}, {{2, 3, 4, 5}, {3}, {3}}, {{1, {0, 2, -1}}, {2, {3, -4, 1}}}, {0, kNone, kNone});
  add("axes that others stand between", {1, 3}, {{2, 3, 4, 5}, {2, 1}, {1, 3}}, {{1, {2, 0}}, {2, {4, -1, 1}}},
      {0, kNone, kNone});
  add("a step for each of the batch", {0, 1}, {{3, 4, 5}, {3}, {3}}, {{1, {0, 1, 2}}, {2, {3, 0, 1}}}, {0, 0, 0});
  return type;
}

}  // namespace h5bridge::indexing
