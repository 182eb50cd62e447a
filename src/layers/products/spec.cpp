// Sums of products: of matrices, of tensors along axes that an equation names, of Keras's samples.
#include <algorithm>

#include "h5bridge/error.h"
#include "layers/axes.h"
#include "layers/products/equation.h"

namespace h5bridge::products {
namespace {

using Shapes = std::vector<SymbolicShape>;

bool differ(const Size& a, const Size& b) { return a.value() && b.value() && a != b; }

LayerType product(const std::string& name, const std::string& summary) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = "torch/_torch_docs.py; keras/src/ops/numpy.py";
  type.least_inputs = type.most_inputs = 2;
  return type;
}

// numpy's rules: vectors become matrices of one row or column, which the result loses; leading axes broadcast.
SymbolicShape multiplied(SymbolicShape a, SymbolicShape b) {
  if (a.empty() || b.empty()) throw_misfit(a, b);
  const bool is_row = a.size() == 1;
  const bool is_column = b.size() == 1;
  if (is_row) a.insert(a.begin(), Size(1));
  if (is_column) b.push_back(1);
  if (differ(a.back(), b[b.size() - 2])) throw_misfit(a, b);
  SymbolicShape result = broadcast(SymbolicShape(a.begin(), a.end() - 2), SymbolicShape(b.begin(), b.end() - 2));
  if (!is_row) result.push_back(a[a.size() - 2]);
  if (!is_column) result.push_back(b.back());
  return result;
}

void expect_rank(const SymbolicShape& input, std::size_t rank) {
  if (input.size() != rank) throw MalformedFile("its input has shape " + to_string(input) + ", expected " + std::to_string(rank) + " axes");
}

// `rank`: that of both inputs, where the function takes no other.
LayerType matrices(const std::string& name, const std::string& summary, std::optional<std::size_t> rank, std::vector<Sample> samples) {
  LayerType type = product(name, summary);
  type.shapes = [rank](const Attributes&, const Shapes& inputs) -> Shapes {
    for (const SymbolicShape& input : inputs)
      if (rank) expect_rank(input, *rank);
    return {multiplied(inputs.at(0), inputs.at(1))};
  };
  type.samples = std::move(samples);
  return type;
}

// beta times the first input, plus alpha times the product of the others.
LayerType baddbmm() {
  LayerType type = product("baddbmm", "beta times the first input, plus alpha times the product of the others");
  type.least_inputs = type.most_inputs = 3;
  type.attributes = {scalar("beta", std::int64_t{1}, "what the first input is multiplied by"), scalar("alpha", std::int64_t{1}, "what the product is multiplied by")};
  type.shapes = [](const Attributes&, const Shapes& inputs) -> Shapes {
    expect_rank(inputs.at(1), 3);
    expect_rank(inputs.at(2), 3);
    return {broadcast(inputs[0], multiplied(inputs[1], inputs[2]))};
  };
  const std::vector<Shape> inputs{{2, 3, 5}, {2, 3, 4}, {2, 4, 5}};
  type.samples = {{"plain", {}, inputs}, {"with factors", {{"beta", 0.5}, {"alpha", 2}}, inputs}};
  return type;
}

// An equation names axes, so that they may come in any order.
void einsum_layout(LayoutCall& call) {
  Equation equation = parse_equation(call.attributes().text("equation"), call.input_count());
  bool changes = false;
  for (std::size_t i = 0; i < call.input_count(); ++i) {
    const Arrangement input = call.input(i);
    if (input.is_original()) continue;
    if (input.flattened || equation.inputs[i].size() != input.axes.size()) {
      call.require(i, Arrangement::original(input.axes.size()));
      continue;
    }
    std::string letters;
    for (const std::int64_t axis : input.axes) letters += equation.inputs[i][axis];
    equation.inputs[i] = letters;
    changes = true;
  }
  if (changes) call.attributes().set("equation", to_text(equation));
}

LayerType einsum() {
  LayerType type = product("einsum", "sums of products along the axes that an equation names");
  type.attributes = {required_text("equation", "letters for the axes of each input and of the output: \"bij,bjk->bik\"")};
  type.least_inputs = 1;
  type.most_inputs = 26;
  type.layout = {LayoutWish::Neutral, einsum_layout};
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes { return {contracted(parse_equation(a.text("equation"), inputs.size()), inputs)}; };
  type.samples = {
      {"matrices", {{"equation", "bij,bjk->bik"}}, {{2, 3, 4}, {2, 4, 5}}},
      {"attention", {{"equation", "bhqd,bhkd->bhqk"}}, {{1, 2, 3, 4}, {1, 2, 5, 4}}},
      {"one input", {{"equation", "bij->bj"}}, {{3, 4, 5}}},
      {"three inputs", {{"equation", "bi,bij,bj->b"}}, {{3, 4}, {3, 4, 5}, {3, 5}}},
      {"leading axes", {{"equation", "...ij,...jk->...ik"}}, {{2, 3, 4, 5}, {2, 3, 5, 2}}},
  };
  return type;
}

// Keras's: samples by samples, along an axis of each.
LayerType dot() {
  LayerType type = product("Dot", "product of two inputs along an axis of each, sample by sample (Keras's)");
  type.source = "keras/src/layers/merging/dot.py";
  type.attributes = {required_axes("axes", "the axis of both, or of each"), boolean("normalize", false, "whether the inputs are divided by their norms along the axes before")};
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    const auto [first, second] = dot_axes(a, inputs.at(0).size(), inputs.at(1).size());
    if (differ(inputs[0][first], inputs[1][second])) throw_misfit(inputs[0], inputs[1]);
    SymbolicShape result = inputs[0];
    result.erase(result.begin() + first);
    for (std::int64_t i = 1; i < static_cast<std::int64_t>(inputs[1].size()); ++i)
      if (i != second) result.push_back(inputs[1][i]);
    if (result.size() == 1) result.push_back(1);
    return {result};
  };
  type.samples = {
      {"vectors", {{"axes", 1}}, {{3, 7}, {3, 7}}},
      {"matrices", {{"axes", Json::Array{1, 2}}}, {{2, 3, 5}, {2, 4, 3}}},
      {"from the end, normalised", {{"axes", -1}, {"normalize", true}}, {{2, 3, 5}, {2, 4, 5}}},
      {"more axes", {{"axes", Json::Array{2, 1}}}, {{2, 3, 5, 4}, {2, 5, 6}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {
      matrices("matmul", "product of matrices, whose leading axes broadcast", {},
               {{"matrices", {}, {{2, 3, 4}, {2, 4, 5}}}, {"heads", {}, {{2, 3, 4, 5}, {2, 3, 5, 2}}}, {"broadcast", {}, {{2, 3, 4, 5}, {2, 1, 5, 3}}}}),
      matrices("bmm", "product of matrices, one by one", 3, {{"matrices", {}, {{2, 3, 4}, {2, 4, 5}}}}),
      baddbmm(),
      einsum(),
      dot(),
  };
}

}  // namespace h5bridge::products
