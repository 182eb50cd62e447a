#include "h5bridge/error.h"
#include "layers/layer_type.h"

namespace h5bridge::merge {
namespace {

constexpr std::size_t kAnyNumber = 1000000;

[[noreturn]] void throw_misfit(const SymbolicShape& a, const SymbolicShape& b) {
  throw MalformedFile("its inputs have shapes " + to_string(a) + " and " + to_string(b) + ", which do not fit");
}

// numpy's rules: axes are aligned at the end, and a size of 1 stretches.
SymbolicShape broadcast(const SymbolicShape& a, const SymbolicShape& b) {
  if (a.size() < b.size()) return broadcast(b, a);
  SymbolicShape result = a;
  for (std::size_t i = 0; i < b.size(); ++i) {
    Size& size = result[a.size() - b.size() + i];
    if (size == Size(1))
      size = b[i];
    else if (size != b[i] && b[i] != Size(1)) {
      // Different symbols may be equal at run time; different numbers may not.
      if (size.value() && b[i].value()) throw_misfit(a, b);
      if (b[i].value()) size = b[i];
    }
  }
  return result;
}

LayerType elementwise(const std::string& name, const std::string& summary, std::size_t most_inputs = 2, std::vector<AttributeSpec> attributes = {}) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = "torch/_torch_docs.py; keras/src/layers/merging/";
  type.attributes = std::move(attributes);
  type.least_inputs = 2;
  type.most_inputs = most_inputs;
  type.layout = any_layout();
  type.shapes = [](const Attributes&, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    SymbolicShape result = inputs.at(0);
    for (std::size_t i = 1; i < inputs.size(); ++i) result = broadcast(result, inputs[i]);
    return {result};
  };
  type.samples = {
      {"images", {}, {{2, 3, 4, 5}, {2, 3, 4, 5}}},
      {"broadcast", {}, {{3, 7}, {3, 1}}},
  };
  if (most_inputs > 2) type.samples.push_back({"three inputs", {}, {{3, 7}, {3, 7}, {3, 7}}});
  return type;
}

// An operator whose second operand is a tensor, or the number `other`.
LayerType arithmetic(const std::string& name, const std::string& summary, std::size_t most_inputs, std::vector<AttributeSpec> attributes = {}) {
  LayerType type = elementwise(name, summary, most_inputs, std::move(attributes));
  type.attributes.push_back(or_none(number("other", 0, "a number in place of a second input")));
  type.least_inputs = 1;
  type.shapes = [shapes = type.shapes](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    if ((inputs.size() == 1) == a.is_none("other"))
      throw MalformedFile(inputs.size() == 1 ? "it has one input, and no number \"other\"" : "it has several inputs, and a number \"other\" as well");
    return shapes(a, inputs);
  };
  type.samples.push_back({"a number", {{"other", 1.7}}, {{2, 3, 4, 5}}});
  return type;
}

LayerType concatenation() {
  LayerType type;
  type.name = "cat";
  type.summary = "joins tensors along an axis";
  type.source = "torch/_torch_docs.py; keras/src/layers/merging/concatenate.py";
  type.attributes = {integer("dim", 0, "the axis")};
  type.most_inputs = kAnyNumber;
  type.layout = counts_axis("dim");
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    SymbolicShape result = inputs.at(0);
    const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(result.size()));
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      if (inputs[i].size() != result.size()) throw_misfit(inputs[0], inputs[i]);
      for (std::size_t j = 0; j < result.size(); ++j)
        if (static_cast<std::int64_t>(j) != axis && result[j].value() && inputs[i][j].value() && result[j] != inputs[i][j]) throw_misfit(inputs[0], inputs[i]);
      result[axis] = result[axis] + inputs[i][axis];
    }
    return {result};
  };
  type.samples = {
      {"channels", {{"dim", 1}}, {{2, 3, 4, 5}, {2, 2, 4, 5}}},
      {"last axis, three inputs", {{"dim", -1}}, {{3, 7}, {3, 2}, {3, 1}}},
      {"height", {{"dim", 2}}, {{2, 3, 4, 5}, {2, 3, 1, 5}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  const AttributeSpec alpha = number("alpha", 1, "what the second input is multiplied by");
  return {
      arithmetic("add", "sum", kAnyNumber, {alpha}),
      arithmetic("sub", "difference", 2, {alpha}),
      arithmetic("mul", "product", kAnyNumber),
      arithmetic("div", "quotient", 2),
      elementwise("maximum", "larger elements", kAnyNumber),
      elementwise("minimum", "smaller elements", kAnyNumber),
      elementwise("Average", "mean of the inputs (Keras's)", kAnyNumber),
      concatenation(),
  };
}

}  // namespace h5bridge::merge
