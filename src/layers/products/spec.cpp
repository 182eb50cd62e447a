// Sums of products: of matrices, of tensors along axes that an equation names, of Keras's samples.
#include <algorithm>

#include "facets/spec/axes.h"
#include "h5bridge/error.h"
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
  type.operands = {required("input"), required("other")};
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
  if (input.size() != rank)
    throw MalformedFile("its input has shape " + to_string(input) + ", expected " + std::to_string(rank) + " axes");
}

void matrices_layout(LayoutCall& call);

// `rank`: that of both inputs, where the function takes no other.
LayerType matrices(const std::string& name, const std::string& summary, std::optional<std::size_t> rank,
                   std::vector<Sample> samples) {
  LayerType type = product(name, summary);
  type.shapes = [rank](const Attributes&, const Shapes& inputs) -> Shapes {
    for (const SymbolicShape& input : inputs)
      if (rank) expect_rank(input, *rank);
    return {multiplied(inputs.at(0), inputs.at(1))};
  };
  type.layout = {LayoutWish::Neutral, matrices_layout};
  type.samples = std::move(samples);
  return type;
}

// A product that is added to another input.
struct Added {
  std::string name;
  std::string product;  // what is multiplied
  std::string first;    // their names
  std::string second;
  std::size_t first_rank;
  std::size_t second_rank;
  SymbolicShape (*shape)(const SymbolicShape&, const SymbolicShape&);
  Sample sample;
};

SymbolicShape by_matrices(const SymbolicShape& a, const SymbolicShape& b) { return multiplied(a, b); }

SymbolicShape all_by_all(const SymbolicShape& a, const SymbolicShape& b) { return {a.at(0), b.at(0)}; }

SymbolicShape added_up(const SymbolicShape& a, const SymbolicShape& b) {
  const SymbolicShape result = multiplied(a, b);
  return {result.begin() + 1, result.end()};
}

LayerType make(const Added& added) {
  LayerType type = product(added.name, "beta times the first input, plus alpha times the product of " + added.product);
  type.source = "torch/_torch_docs.py";
  type.operands = {required("input"), required(added.first), required(added.second)};
  type.attributes = {scalar("beta", std::int64_t{1}, "what the first input is multiplied by"),
                     scalar("alpha", std::int64_t{1}, "what the product is multiplied by")};
  type.shapes = [added](const Attributes&, const Shapes& inputs) -> Shapes {
    expect_rank(inputs.at(1), added.first_rank);
    expect_rank(inputs.at(2), added.second_rank);
    return {broadcast(added.shape(inputs[1], inputs[2]), inputs[0])};
  };
  type.samples = {added.sample, added.sample, added.sample};
  type.samples[0].what = "plain";
  type.samples[1].what = "with factors";
  type.samples[1].attributes = {{"beta", 0.5}, {"alpha", 2}};
  type.samples[2].what = "broadcast";
  type.samples[2].inputs[0] = {1};
  if (!type.samples[2].batch_axes.empty()) type.samples[2].batch_axes[0] = Sample::kNoBatch;
  return type;
}

std::vector<LayerType> added_products() {
  constexpr std::size_t none = Sample::kNoBatch;
  const auto sample = [](std::vector<Shape> inputs, std::vector<std::size_t> batch_axes) {
    return Sample{.what = {}, .attributes = {}, .inputs = std::move(inputs), .batch_axes = std::move(batch_axes)};
  };
  std::vector<LayerType> result;
  for (const Added& added : {
           Added{"addmm", "two matrices", "mat1", "mat2", 2, 2, by_matrices,
                 sample({{3, 5}, {3, 4}, {4, 5}}, {0, 0, none})},
           Added{"addmv", "a matrix and a vector", "mat", "vec", 2, 1, by_matrices,
                 sample({{3}, {3, 4}, {4}}, {0, 0, none})},
           Added{"addr", "each element of a vector and each of another", "vec1", "vec2", 1, 1, all_by_all,
                 sample({{3, 5}, {3}, {5}}, {0, 0, none})},
           Added{"baddbmm", "matrices, one by one", "batch1", "batch2", 3, 3, by_matrices,
                 sample({{2, 3, 5}, {2, 3, 4}, {2, 4, 5}}, {0, 0, 0})},
           Added{"addbmm", "matrices, one by one, all of them added up", "batch1", "batch2", 3, 3, added_up,
                 sample({{3, 5}, {2, 3, 4}, {2, 4, 5}}, {none, 0, 0})},
       })
    result.push_back(make(added));
  return result;
}

LayerType outer() {
  LayerType type = product("outer", "the products of each element of a vector and each of another");
  type.shapes = [](const Attributes&, const Shapes& inputs) -> Shapes {
    for (const SymbolicShape& input : inputs) expect_rank(input, 1);
    return {all_by_all(inputs.at(0), inputs.at(1))};
  };
  type.samples = {{.what = "vectors", .attributes = {}, .inputs = {{3}, {5}}, .batch_axes = {0, Sample::kNoBatch}}};
  return type;
}

// Vectors of three elements.
LayerType cross(const std::string& name, AttributeSpec dim) {
  LayerType type = product(name, "vectors that stand upright on two of three elements");
  type.attributes = {std::move(dim)};
  type.layout = keeps_original_layout();
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    if (inputs.at(0).size() != inputs.at(1).size()) throw_misfit(inputs[0], inputs[1]);
    const SymbolicShape result = broadcast(inputs);
    if (result[cross_axis(a, result)] != Size(3))
      throw MalformedFile("its axis has " + result[cross_axis(a, result)].str() + " elements, expected 3");
    return {result};
  };
  type.samples = {{"last axis", {{"dim", -1}}, {{2, 4, 3}, {2, 4, 3}}},
                  {"channels", {{"dim", 1}}, {{2, 3, 4}, {2, 3, 4}}},
                  {"the default", {}, {{2, 5, 3}, {2, 5, 3}}}};
  return type;
}

// Whether the output has the axes of an input where that has them, `channels` among them: an image with other rows or
// columns.
bool keeps_image(const std::string& input, const std::string& output, std::size_t channels) {
  const auto holds = [](const std::string& letters, char letter) { return letters.find(letter) != std::string::npos; };
  if (input.size() != output.size() || input.size() < 3 || input[channels] != output[channels]) return false;
  for (std::size_t i = 0; i < output.size(); ++i)
    if (input[i] != output[i] && (holds(input, output[i]) || holds(output, input[i]))) return false;
  return true;
}

// An equation names axes, so that they may come in any order.
void einsum_layout(LayoutCall& call) {
  Equation equation = parse_equation(call.attributes().text("equation"), call.input_count());
  const std::string output = equation.output;
  bool changes = false;
  for (std::size_t i = 0; i < call.input_count(); ++i) {
    const Arrangement input = call.input(i);
    const std::size_t channels = call.wants_channels_last() ? 1 : input.axes.size() - 1;
    const bool is_image = equation.output == output && keeps_image(equation.inputs[i], output, channels);
    if (is_image) call.keep_image();
    if (input.is_original()) continue;
    const bool names_all = equation.inputs[i].find('.') == std::string::npos;
    if (input.flattened || !names_all || equation.inputs[i].size() != input.axes.size()) {
      call.require(i, Arrangement::original(input.axes.size()));
      continue;
    }
    const auto arranged = [&](const std::string& letters) {
      std::string result;
      for (const std::int64_t axis : input.axes) result += letters[axis];
      return result;
    };
    if (is_image) {
      equation.output = arranged(output);
      call.set_output(0, input);
    }
    equation.inputs[i] = arranged(equation.inputs[i]);
    changes = true;
  }
  if (changes) call.attributes().set("equation", to_text(equation));
}

// Whether there is an axis of one input alone that the output does not have: it is summed up, not multiplied.
bool sums_up_alone(const std::string& text) {
  const auto inputs = static_cast<std::size_t>(std::ranges::count(text, ',')) + 1;
  const Equation equation = parse_equation(text, inputs);
  const auto is_in = [](char letter) {
    return [letter](const std::string& letters) { return letters.find(letter) != std::string::npos; };
  };
  return std::ranges::any_of(equation.inputs, [&](const std::string& input) {
    return std::ranges::any_of(input, [&](char letter) {
      return !is_in(letter)(equation.output) && std::ranges::count_if(equation.inputs, is_in(letter)) == 1;
    });
  });
}

// Matrices whose axes others have moved are multiplied by an equation, which moves none. Values that lie (..., steps,
// heads, features) give their product so, too: heads are joined again behind it.
void matrices_layout(LayoutCall& call) {
  const Arrangement first = call.input(0), second = call.input(1);
  if (first.is_original() && second.is_original()) return;
  const SymbolicShape &a = call.input_shape(0), &b = call.input_shape(1);
  const std::size_t rank = a.size();
  if (rank < 3 || rank > 20 || first.flattened || second.flattened || b.size() != rank ||
      !std::equal(a.begin(), a.end() - 2, b.begin()))
    return keeps_original_layout().apply(call);
  std::string leading;
  for (std::size_t axis = 0; axis + 2 < rank; ++axis) leading += static_cast<char>('a' + axis);
  const auto stored = [](const std::string& letters, const Arrangement& arrangement) {
    std::string result;
    for (const std::int64_t axis : arrangement.axes) result += letters[axis];
    return result;
  };
  Arrangement exchanged = Arrangement::original(rank);
  std::swap(exchanged.axes[rank - 2], exchanged.axes[rank - 3]);
  const Arrangement output = second == exchanged ? exchanged : Arrangement::original(rank);
  Attributes attributes;
  attributes.set("equation", stored(leading + "xy", first) + "," + stored(leading + "yz", second) + "->" +
                                 stored(leading + "xz", output));
  call.become("einsum", std::move(attributes));
  call.set_output(0, output);
}

LayerType einsum() {
  LayerType type = product("einsum", "sums of products along the axes that an equation names");
  type.attributes = {
      required_equation("equation", "letters for the axes of each input and of the output: \"bij,bjk->bik\"")};
  type.operands = {list("operands", 1, 26)};
  type.dtypes = DTypeRules::Choice([](const Attributes& a) -> std::vector<DTypeRule> {
    return {sums_up_alone(a.text("equation")) ? promotes().at_least_int64() : promotes()};
  });
  type.layout = {LayoutWish::Neutral, einsum_layout};
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    return {contracted(parse_equation(a.text("equation"), inputs.size()), inputs)};
  };
  type.samples = {
      {"matrices", {{"equation", "bij,bjk->bik"}}, {{2, 3, 4}, {2, 4, 5}}},
      {"attention", {{"equation", "bhqd,bhkd->bhqk"}}, {{1, 2, 3, 4}, {1, 2, 5, 4}}},
      {"one input", {{"equation", "bij->bj"}}, {{3, 4, 5}}},
      {"spaces", {{"equation", "b i j, b j k -> b i k"}}, {{2, 3, 4}, {2, 4, 5}}},
      {"capitals", {{"equation", "bTC,bDC->bTD"}}, {{2, 3, 4}, {2, 5, 4}}},
      {"no output", {{"equation", "bji"}}, {{3, 4, 5}}},
      {"three inputs", {{"equation", "bi,bij,bj->b"}}, {{3, 4}, {3, 4, 5}, {3, 5}}},
      {"leading axes", {{"equation", "...ij,...jk->...ik"}}, {{2, 3, 4, 5}, {2, 3, 5, 2}}},
  };
  return type;
}

// Keras's: samples by samples, along an axis of each.
LayerType dot() {
  LayerType type = product("Dot", "product of two inputs along an axis of each, sample by sample (Keras's)");
  type.source = "keras/src/layers/merging/dot.py";
  type.attributes = {
      required_axes("axes", "the axis of both, or of each"),
      boolean("normalize", false, "whether the inputs are divided by their norms along the axes before")};
  type.dtypes = DTypeRules::Choice([](const Attributes& a) -> std::vector<DTypeRule> {
    return {a.boolean("normalize") ? promotes().at_least_float() : promotes()};
  });
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

std::int64_t cross_axis(const Attributes& a, const SymbolicShape& shape) {
  if (!a.is_none("dim")) return resolve_axis(a.integer("dim"), static_cast<std::int64_t>(shape.size()));
  const auto found = std::find(shape.begin(), shape.end(), Size(3));
  if (found == shape.end()) throw MalformedFile("its shape " + to_string(shape) + " has no axis of 3 elements");
  return found - shape.begin();
}

std::vector<LayerType> layer_types() {
  std::vector<LayerType> result{
      matrices("matmul", "product of matrices, whose leading axes broadcast", {},
               {{"matrices", {}, {{2, 3, 4}, {2, 4, 5}}},
                {"heads", {}, {{2, 3, 4, 5}, {2, 3, 5, 2}}},
                {"broadcast", {}, {{2, 3, 4, 5}, {2, 1, 5, 3}}}}),
      matrices("bmm", "product of matrices, one by one", 3, {{"matrices", {}, {{2, 3, 4}, {2, 4, 5}}}}),
      einsum(),
      dot(),
      outer(),
      cross("cross", or_none(integer("dim", 0, "the axis; None: the first with three elements"))),
      cross("linalg_cross", integer("dim", -1, "the axis")),
  };
  for (LayerType& type : added_products()) result.push_back(std::move(type));
  return result;
}

}  // namespace h5bridge::products
