#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/masking/mask_steps.h"
#include "layers/merge/operands.h"

namespace h5bridge::merge {
namespace {

// An operator, element by element on tensors that broadcast.
struct Operator {
  std::string name;
  std::string summary;
  std::string first = {};      // the attribute that is a number in place of the first input, if it may be one
  std::string second = {};     // of the second one
  bool takes_several = false;  // more than two inputs
  bool merges = false;         // Keras has a layer for it
  MaskRule::Uncounted uncounted = MaskRule::Uncounted::Itself;
  std::vector<AttributeSpec> others = {};
  std::optional<std::pair<double, double>> domain = {};
  std::int64_t ids_below = 0;
  std::vector<Json::Object> settings = {};
  std::optional<DTypeRules> dtypes = {};  // promotion where nothing is said
  Integers integers = Integers::Stay;
};

std::vector<SymbolicShape> aligned(const Attributes& a, std::vector<SymbolicShape> inputs) {
  if (!a.contains(kAlignedAtBatch) || !a.boolean(kAlignedAtBatch)) return inputs;
  std::size_t rank = 0;
  for (const SymbolicShape& input : inputs) rank = std::max(rank, input.size());
  for (SymbolicShape& input : inputs)
    if (!input.empty()) input.insert(input.begin() + 1, rank - input.size(), Size(1));
  return inputs;
}

// A step of Keras's merging layers counted, up to Keras 2, where it does in all inputs that have a mask (compute_mask
// of tensorflow 2.15 python/keras/layers/merging/base_merge.py).
std::optional<MaskRule::Joint> where_all_count(const Layer&, std::int64_t) {
  return MaskRule::Joint{.step = masking::both()};
}

std::vector<Operand> operands(const Operator& op) {
  Operand first = required(op.first.empty() ? "input" : op.first);
  Operand second = required(op.second.empty() ? "other" : op.second);
  if (op.takes_several) second = list(second.name);
  return {or_attribute(std::move(first), op.first), or_attribute(std::move(second), op.second)};
}

LayerType make(const Operator& op) {
  LayerType type;
  type.name = op.name;
  type.keeps_rows_apart = LayerType::always;
  type.integers = op.integers;
  type.summary = op.summary;
  type.source = "torch/_torch_docs.py; keras/src/layers/merging/; keras/src/ops/numpy.py";
  type.attributes = op.others;
  for (const std::string& number_in_place : {op.first, op.second})
    if (!number_in_place.empty())
      type.attributes.push_back(or_none(scalar(number_in_place, std::int64_t{0}, "a number in place of an input")));
  if (op.merges) type.choice = {"merge", op.name};
  if (op.merges) type.mask = joins_masks(where_all_count, masking::either, op.uncounted);
  if (op.merges)
    type.attributes.push_back(
        boolean(kAlignedAtBatch, false,
                "Keras's: an input with fewer axes gets axes of size 1 behind its batch, not before it"));
  type.operands = operands(op);
  type.dtypes = op.dtypes.value_or(promotes().with_numbers({op.first, op.second}));
  type.layout = any_layout();
  type.shapes = [op](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const std::size_t numbers = numbers_among(a, {op.first, op.second});
    if (numbers > 0 && inputs.size() + numbers != 2)
      throw MalformedFile("it has " + std::to_string(inputs.size()) + " inputs, and " + std::to_string(numbers) +
                          " numbers as well");
    if (inputs.empty()) throw MalformedFile("it has numbers alone, and no input");
    if (inputs.size() + numbers < 2)
      throw MalformedFile("it has one input, and no number \"" + (op.second.empty() ? op.first : op.second) + "\"");
    return {broadcast(aligned(a, inputs))};
  };

  type.samples = {{"images", {}, {{2, 3, 4, 5}, {2, 3, 4, 5}}},
                  {"broadcast", {}, {{3, 7}, {3, 1}}},
                  {"other ranks", {}, {{3, 3, 4}, {3, 4}}}};
  if (op.takes_several) type.samples.push_back({"three inputs", {}, {{3, 7}, {3, 7}, {3, 7}}});
  if (op.merges)
    type.samples.push_back({"other ranks, as Keras has it", {{kAlignedAtBatch, true}}, {{2, 3, 4}, {2, 4}}});
  const Json value = op.ids_below ? Json(1) : Json(1.7);
  if (!op.first.empty()) type.samples.push_back({"a number before", {{op.first, value}}, {{2, 3, 4, 5}}});
  if (!op.second.empty()) type.samples.push_back({"a number", {{op.second, value}}, {{2, 3, 4, 5}}});
  for (std::size_t i = 0; i < op.settings.size(); ++i) {
    const bool with_number = op.settings[i].contains(op.first) || op.settings[i].contains(op.second);
    const std::vector<Shape> inputs = with_number ? std::vector<Shape>{{3, 7}} : std::vector<Shape>{{3, 7}, {3, 7}};
    type.samples.push_back({"settings " + std::to_string(i + 1), op.settings[i], inputs});
  }
  for (Sample& sample : type.samples) {
    sample.between = op.domain;
    sample.ids_below = op.ids_below;
  }
  return type;
}

// Chooses by a condition; what is chosen from may be numbers.
LayerType where() {
  LayerType type;
  type.name = "where";
  type.summary = "the second input where the first is true, the third elsewhere";
  type.source = "torch/_torch_docs.py; keras/src/ops/numpy.py";
  type.attributes = {or_none(scalar("self", std::int64_t{0}, "a number in place of the second input")),
                     or_none(scalar("other", std::int64_t{0}, "a number in place of the third input"))};
  type.operands = {required("condition"), or_attribute(required("self"), "self"),
                   or_attribute(required("other"), "other")};
  type.dtypes = promotes_inputs({1, 2}).with_numbers({"self", "other"});
  type.layout = any_layout();
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    if (inputs.size() + numbers_among(a, {"self", "other"}) != 3)
      throw MalformedFile("it needs a condition and two tensors or numbers to choose from");
    return {broadcast(inputs)};
  };
  type.samples = {
      {"tensors", {}, {{3, 7}, {3, 7}, {3, 7}}},
      {"broadcast", {}, {{2, 1, 4}, {2, 3, 4}, {2, 3, 1}}},
      {"a number", {{"other", 7}}, {{3, 7}, {3, 7}}},
      {"a number first", {{"self", -7}}, {{3, 7}, {3, 7}}},
      {"two numbers", {{"self", 1}, {"other", 2}}, {{3, 7}}},
  };
  for (Sample& sample : type.samples) sample.ids_below = 3;
  return type;
}

LayerType masked_fill() {
  LayerType type;
  type.name = "masked_fill";
  type.summary = "a number where the second input is true, the first elsewhere";
  type.source = "torch/_tensor_docs.py; keras/src/ops/numpy.py";
  type.attributes = {required_scalar("value", "the number")};
  type.operands = {required("input"), required("mask")};
  type.dtypes = keeps();
  type.layout = any_layout();
  type.shapes = [](const Attributes&, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    return {broadcast(inputs)};
  };
  type.samples = {{"features", {{"value", 7}}, {{3, 7}, {3, 7}}},
                  {"broadcast", {{"value", -9}}, {{2, 3, 4}, {2, 1, 4}}}};
  for (Sample& sample : type.samples) sample.ids_below = 3;
  return type;
}

// A product or a quotient of two inputs that is added to the first.
LayerType added(const std::string& name, const std::string& summary) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = "torch/_torch_docs.py";
  type.attributes = {scalar("value", std::int64_t{1}, "the factor")};
  type.operands = {required("input"), required("tensor1"), required("tensor2")};
  type.layout = any_layout();
  type.shapes = [](const Attributes&, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    return {broadcast(inputs)};
  };
  type.samples = {{"features", {}, {{3, 7}, {3, 7}, {3, 7}}},
                  {"broadcast", {{"value", -0.5}}, {{2, 1, 4}, {2, 3, 4}, {2, 3, 1}}}};
  for (Sample& sample : type.samples) sample.between = {0.6, 3.0};
  return type;
}

LayerType lerp() {
  LayerType type;
  type.name = "lerp";
  type.summary = "the first input, and a weight's share of the way from it to the second";
  type.source = "torch/_torch_docs.py";
  type.attributes = {or_none(scalar("weight", 0.5, "the weight in place of a third input"))};
  type.operands = {required("input"), required("end"), or_attribute(required("weight"), "weight")};
  type.layout = any_layout();
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    if (inputs.size() + numbers_among(a, {"weight"}) != 3)
      throw MalformedFile("it needs a third input, or a number \"weight\"");
    return {broadcast(inputs)};
  };
  type.samples = {{"tensors", {}, {{3, 7}, {3, 7}, {3, 7}}},
                  {"a number", {{"weight", 0.3}}, {{3, 7}, {3, 7}}},
                  {"broadcast", {}, {{2, 3, 4}, {2, 3, 4}, {2, 1, 4}}},
                  {"a large number", {{"weight", 2}}, {{2, 3, 4}, {2, 3, 4}}}};
  return type;
}

}  // namespace

std::size_t numbers_among(const Attributes& attributes, const std::vector<std::string>& names) {
  std::size_t count = 0;
  for (const std::string& name : names)
    count += !name.empty() && attributes.contains(name) && !attributes.is_none(name);
  return count;
}

std::vector<LayerType> layer_types() {
  const AttributeSpec alpha = scalar("alpha", std::int64_t{1}, "what the second input is multiplied by");
  const AttributeSpec rounding = or_none(text("rounding_mode", "floor", {"floor", "trunc"},
                                              "how the quotient is rounded to an integer; None: not at all"));
  const std::vector<AttributeSpec> tolerances{number("rtol", 1e-5, "of the second input"),
                                              number("atol", 1e-8, "besides"),
                                              boolean("equal_nan", false, "whether NaN is close to NaN")};
  const std::pair positive{0.6, 3.0};
  const DTypeRules truth = gives(DType::Bool);
  const DTypeRules of_floats = promotes().at_least_float();
  const DTypeRules of_quotient = DTypeRules::Choice([](const Attributes& a) -> std::vector<DTypeRule> {
    const DTypeRule operands = promotes().with_numbers({"self", "other"});
    return {a.is_none("rounding_mode") ? operands.at_least_float() : operands};
  });
  std::vector<LayerType> types;
  for (const Operator& op : std::vector<Operator>{
           {.name = "add",
            .summary = "sum",
            .second = "other",
            .takes_several = true,
            .merges = true,
            .others = {alpha},
            .settings = {{{"alpha", 0.3}}, {{"alpha", 2}, {"other", 1.7}}}},
           {.name = "sub",
            .summary = "difference",
            .second = "other",
            .merges = true,
            .others = {alpha},
            .settings = {{{"alpha", 0.3}}, {{"alpha", 2}, {"other", 1.7}}}},
           {.name = "rsub",
            .summary = "the second input minus the first",
            .second = "other",
            .others = {alpha},
            .settings = {{{"alpha", 0.3}}, {{"alpha", 2}, {"other", 1.7}}}},
           {.name = "mul",
            .summary = "product",
            .second = "other",
            .takes_several = true,
            .merges = true,
            .uncounted = MaskRule::Uncounted::One},
           {.name = "div",
            .summary = "quotient",
            .first = "self",
            .second = "other",
            .others = {rounding},
            .domain = positive,
            .settings = {{{"rounding_mode", "floor"}},
                         {{"rounding_mode", "trunc"}},
                         {{"rounding_mode", "trunc"}, {"other", -0.7}}},
            .dtypes = of_quotient},
           {.name = "floor_divide",
            .summary = "quotient rounded down",
            .first = "self",
            .second = "other",
            .domain = positive},
           {.name = "remainder",
            .summary = "what division leaves, with the divisor's sign",
            .first = "self",
            .second = "other",
            .domain = positive,
            .settings = {{{"other", -0.7}}}},
           {.name = "fmod",
            .summary = "what division leaves, with the dividend's sign",
            .second = "other",
            .domain = positive,
            .settings = {{{"other", -0.7}}}},
           {.name = "pow",
            .summary = "power",
            .first = "self",
            .second = "exponent",
            .domain = positive,
            .settings = {{{"exponent", 2}}}},
           {.name = "maximum",
            .summary = "larger elements",
            .takes_several = true,
            .merges = true,
            .uncounted = MaskRule::Uncounted::Others},
           {.name = "minimum",
            .summary = "smaller elements",
            .takes_several = true,
            .merges = true,
            .uncounted = MaskRule::Uncounted::Others},
           {.name = "fmax", .summary = "larger elements, or the one that is a number"},
           {.name = "fmin", .summary = "smaller elements, or the one that is a number"},
           {.name = "Average",
            .summary = "mean of the inputs (Keras's)",
            .takes_several = true,
            .merges = true,
            .dtypes = of_floats},
           {.name = "atan2", .summary = "angle of the point (second, first)", .dtypes = of_floats},
           {.name = "hypot", .summary = "sqrt(x x + y y)", .dtypes = of_floats, .integers = Integers::BecomeFloats},
           {.name = "logaddexp",
            .summary = "log(exp(x) + exp(y))",
            .dtypes = of_floats,
            .integers = Integers::BecomeFloats},
           {.name = "eq", .summary = "whether equal", .second = "other", .ids_below = 3, .dtypes = truth},
           {.name = "ne", .summary = "whether unequal", .second = "other", .ids_below = 3, .dtypes = truth},
           {.name = "lt", .summary = "whether less", .second = "other", .ids_below = 3, .dtypes = truth},
           {.name = "le", .summary = "whether less or equal", .second = "other", .ids_below = 3, .dtypes = truth},
           {.name = "gt", .summary = "whether greater", .second = "other", .ids_below = 3, .dtypes = truth},
           {.name = "ge", .summary = "whether greater or equal", .second = "other", .ids_below = 3, .dtypes = truth},
           {.name = "logical_and", .summary = "whether both are true", .ids_below = 2, .dtypes = truth},
           {.name = "logical_or", .summary = "whether either is true", .ids_below = 2, .dtypes = truth},
           {.name = "logical_xor", .summary = "whether just one is true", .ids_below = 2, .dtypes = truth},
           {.name = "bitwise_and", .summary = "bits that both have", .second = "other", .ids_below = 4},
           {.name = "bitwise_or", .summary = "bits that either has", .second = "other", .ids_below = 4},
           {.name = "bitwise_xor", .summary = "bits that just one has", .second = "other", .ids_below = 4},
           {.name = "logaddexp2",
            .summary = "log2(2 to the x + 2 to the y)",
            .dtypes = of_floats,
            .integers = Integers::BecomeFloats},
           {.name = "heaviside",
            .summary = "0 below zero, 1 above, the second input at zero",
            .domain = std::pair{-1.0, 1.0}},
           {.name = "isclose",
            .summary = "whether they differ by atol and rtol times the second at most",
            .others = tolerances,
            .ids_below = 5,
            .settings = {{{"rtol", 0.5}}, {{"atol", 1.0}, {"equal_nan", true}}},
            .dtypes = truth},
       })
    types.push_back(make(op));
  types.push_back(where());
  types.push_back(masked_fill());
  types.push_back(added("addcmul", "the first input plus the product of the others times a factor"));
  types.push_back(added("addcdiv", "the first input plus the quotient of the others times a factor"));
  types.push_back(lerp());
  return types;
}

}  // namespace h5bridge::merge
