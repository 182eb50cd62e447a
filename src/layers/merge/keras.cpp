#include <algorithm>
#include <set>

#include "facets/keras/composition.h"
#include "facets/spec/axes.h"
#include "h5bridge/error.h"
#include "layers/merge/operands.h"

namespace h5bridge::merge {
namespace {

using Handle = KerasEmitter::Handle;
using Argument = KerasEmitter::Argument;
using Shapes = std::vector<SymbolicShape>;

bool same_ranks(const Shapes& inputs) {
  return std::all_of(inputs.begin(), inputs.end(),
                     [&](const SymbolicShape& input) { return input.size() == inputs[0].size() && !input.empty(); });
}

// Keras's layers refuse batches of two sizes, one of which may be 1, and take a number beside an open size for the
// batch that they give (keras/src/layers/merging/base_merge.py): of one that is no batch but several in one
// (196*batch), a reshape behind would be refused.
bool same_batches(const Shapes& inputs) {
  std::set<std::int64_t> numbers;
  bool has_merged = false;
  for (const SymbolicShape& input : inputs) {
    const Size& size = input.at(0);
    if (size.value())
      numbers.insert(*size.value());
    else
      has_merged = has_merged || size.symbols().size() != 1 || size != Size::symbol(size.symbols()[0]);
  }
  return numbers.size() < (has_merged ? 1u : 2u);
}

bool is_one(const AttributeValue& value) {
  return value == AttributeValue(std::int64_t{1}) || value == AttributeValue(1.0);
}

// Keras's layers take tensors alone, and align them at the batch.
KerasMapping layer(const std::string& type, const std::string& class_name) {
  KerasMapping mapping{.type = type, .class_name = class_name};
  mapping.inputs_as_list = true;
  mapping.fits = [](const Attributes& a, const Shapes& inputs) {
    const bool plain = inputs.size() > 1 && (!a.contains("alpha") || is_one(a.at("alpha")));
    if (a.boolean(kAlignedAtBatch)) return plain;
    return plain && same_ranks(inputs) && same_batches(inputs);
  };
  mapping.lift = [](Json::Object& config, Attributes& attributes, const Shapes& inputs) {
    expect_layer(config);
    if (!same_ranks(inputs)) attributes.set(kAlignedAtBatch, true);
  };
  return mapping;
}

Argument operand(const Attributes& a, const std::string& number, KerasEmitter& emitter, std::size_t& next) {
  if (!number.empty() && !a.is_none(number)) return attribute_to_json(a.at(number));
  return emitter.input(next++);
}

// An operation on two operands, numbers among them; more than two are taken in one after the other.
KerasEmitter::Results fold(const std::string& class_name, const std::string& first, const std::string& second,
                           const Attributes& a, KerasEmitter& emitter) {
  std::size_t next = 0;
  Argument left = operand(a, first, emitter, next);
  Argument right = operand(a, second, emitter, next);
  if (a.contains("alpha") && !is_one(a.at("alpha"))) {
    const Json alpha = attribute_to_json(a.at("alpha"));
    if (const auto* number = std::get_if<Json>(&right))
      right = Json(alpha.as_float() * number->as_float());
    else
      right = named(emitter, "scaled").elementwise("Multiply", {right, alpha});
  }
  const std::size_t count = emitter.input_shapes().size();
  for (; next < count; ++next) {
    const SymbolicShape shape =
        broadcast({emitter.input_shapes().begin(), emitter.input_shapes().begin() + static_cast<std::ptrdiff_t>(next)});
    left = named(emitter, "part" + std::to_string(next - 1)).apply(class_name, {left, right}, shape);
    right = emitter.input(next);
  }
  return Composition(emitter).last(class_name, {std::move(left), std::move(right)});
}

std::vector<Correspondence> rows(const std::string& first, const std::string& second,
                                 const std::vector<std::string>& parameters) {
  std::vector<Correspondence> result;
  if (!first.empty()) result.push_back({first, parameters[0], spelling::scalar()});
  if (!second.empty()) result.push_back({second, parameters[1], spelling::scalar()});
  return result;
}

KerasMapping binary(const std::string& type, const std::string& class_name, const std::string& first = "",
                    const std::string& second = "", const std::vector<std::string>& parameters = {"x1", "x2"}) {
  KerasMapping mapping = operation(type, class_name, rows(first, second, parameters), parameters);
  mapping.lower = [class_name, first, second](const Attributes& a, Json::Object, KerasEmitter& emitter) {
    return fold(class_name, first, second, a, emitter);
  };
  return mapping;
}

// Keras's `2 - x`: the operands are the other way round.
KerasMapping reversed(const std::string& type, const std::string& class_name) {
  KerasMapping mapping = operation(type, class_name, {{"other", "x1", spelling::scalar()}}, {"x1", "x2"});
  mapping.lower = [class_name](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    Argument subtracted = emitter.input(0);
    if (a.contains("alpha") && !is_one(a.at("alpha")))
      subtracted = named(emitter, "scaled").elementwise("Multiply", {subtracted, attribute_to_json(a.at("alpha"))});
    std::size_t next = 1;
    return Composition(emitter).last(class_name, {operand(a, "other", emitter, next), subtracted});
  };
  mapping.accepts = [](const Shapes& inputs) { return inputs.size() == 1; };
  return mapping;
}

KerasMapping rounded(const char* rounding, const std::string& class_name) {
  KerasMapping mapping = write_only(binary("div", class_name, "self", "other"));
  mapping.fits = [rounding](const Attributes& a, const Shapes&) {
    return !a.is_none("rounding_mode") && a.text("rounding_mode") == rounding;
  };
  return mapping;
}

// A mean of inputs that are not aligned as the layer has them.
KerasMapping mean() {
  KerasMapping mapping = write_only(operation("Average", "TrueDivide"));
  mapping.lower = [](const Attributes&, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const Shapes& inputs = emitter.input_shapes();
    Handle sum = emitter.input(0);
    for (std::size_t i = 1; i < inputs.size(); ++i)
      sum = named(emitter, "sum" + std::to_string(i)).elementwise("Add", {sum, emitter.input(i)});
    return Composition(emitter).last("TrueDivide", {sum, Json(static_cast<std::int64_t>(inputs.size()))});
  };
  return mapping;
}

// Keras takes the larger ones of int64 as int32. A choice by a comparison keeps them.
KerasMapping chosen(const char* comparison, KerasMapping mapping) {
  mapping.lower = [comparison, lower = mapping.lower](const Attributes& a, Json::Object config,
                                                      KerasEmitter& emitter) -> KerasEmitter::Results {
    if (!emitter.has_int64()) return lower(a, std::move(config), emitter);
    Composition steps(emitter);
    Handle best = emitter.input(0);
    const std::size_t last = emitter.input_shapes().size() - 1;
    for (std::size_t i = 1; i < last; ++i)
      best = steps.where(steps.elementwise(comparison, {best, emitter.input(i)}), best, emitter.input(i));
    return steps.last("Where", {steps.elementwise(comparison, {best, emitter.input(last)}), best, emitter.input(last)});
  };
  return keeping_integers(computing_in(promotes().at_most_int32(), std::move(mapping)));
}

// The quotient of int64 rounded down, which Keras's own cuts to int32: that of float64, and what it is off by, which is
// little.
KerasEmitter::Results emit_floor_quotient(const Argument& x, const Argument& y, KerasEmitter& emitter) {
  Composition steps(emitter);
  const auto as_float = [&](const Argument& value) {
    const auto* handle = std::get_if<Handle>(&value);
    return handle ? Argument(steps.cast(*handle, "float64")) : value;
  };
  const Handle about = steps.cast(steps.elementwise("TrueDivide", {as_float(x), as_float(y)}), "int64");
  const Handle rest = steps.elementwise("Subtract", {x, steps.elementwise("Multiply", {about, y})});
  return steps.last("Add", {about, steps.elementwise("FloorDivide", {rest, y})});
}

KerasEmitter::Results lower_floor_quotient(const Attributes& a, Json::Object, KerasEmitter& emitter) {
  std::size_t next = 0;
  const Argument x = operand(a, "self", emitter, next);
  const Argument y = operand(a, "other", emitter, next);
  if (!emitter.has_int64()) return Composition(emitter).last("FloorDivide", {x, y});
  return emit_floor_quotient(x, y, emitter);
}

KerasMapping floor_quotient(KerasMapping mapping) {
  mapping.lower = lower_floor_quotient;
  return keeping_integers(giving(promotes().with_keras_numbers({"self", "other"}).at_most_int32(), std::move(mapping)));
}

// Integers are divided as such, after what division leaves is taken off.
KerasEmitter::Results emit_truncated_quotient(const Argument& x, const Argument& y, KerasEmitter& emitter) {
  Composition steps(emitter, "divisible");
  const Handle divisible = steps.elementwise("Subtract", {x, steps.elementwise("Fmod", {x, y})});
  if (emitter.has_int64()) return emit_floor_quotient(divisible, y, emitter);
  return steps.last("FloorDivide", {divisible, y});
}

KerasMapping truncated() {
  KerasMapping mapping = rounded("trunc", "Trunc");
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    std::size_t next = 0;
    const Argument left = operand(a, "self", emitter, next);
    const Argument right = operand(a, "other", emitter, next);
    if (emitter.integers()) return emit_truncated_quotient(left, right, emitter);
    return Composition(emitter).last("Trunc", {named(emitter, "quotient").elementwise("TrueDivide", {left, right})});
  };
  return keeping_integers(std::move(mapping));
}

KerasMapping heaviside() {
  KerasMapping mapping = binary("heaviside", "Heaviside");
  mapping.lower = [](const Attributes&, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const Handle x = emitter.input(0);
    const Handle at_zero = emitter.input(1);
    if (!emitter.integers()) return Composition(emitter).last("Heaviside", {x, at_zero});
    Composition steps(emitter);
    const Handle below = steps.where(steps.elementwise("Less", {x, Json(0)}), Json(0), at_zero);
    return steps.last("Where", {steps.elementwise("Greater", {x, Json(0)}), Json(1), below});
  };
  return keeping_integers(giving(promotes().at_least_float(), std::move(mapping)));
}

// Numbers are int32 in Keras, where they are no floats.
KerasMapping beside_numbers(const std::vector<std::string>& numbers, KerasMapping mapping) {
  return computing_in(promotes().with_keras_numbers(numbers), std::move(mapping));
}

KerasMapping masked_fill() {
  KerasMapping mapping = write_only(operation("masked_fill", "Where"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    return Composition(emitter).last("Where", {emitter.input(1), attribute_to_json(a.at("value")), emitter.input(0)});
  };
  return mapping;
}

// Keras's take tensors alone, and arrays.
KerasMapping bitwise(const std::string& type, const std::string& class_name) {
  KerasMapping mapping = operation(type, class_name, {}, {"x", "y"});
  mapping.fits = [](const Attributes& a, const Shapes&) { return a.is_none("other"); };
  return mapping;
}

KerasMapping bitwise_by_number(const std::string& type, const std::string& class_name) {
  KerasMapping mapping = write_only(operation(type, class_name));
  mapping.lower = [class_name](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const auto* number = std::get_if<std::int64_t>(&a.at("other"));
    if (!number) throw MalformedFile("its number " + attribute_to_json(a.at("other")).dump() + " is no integer");
    return Composition(emitter).last(class_name,
                                     {emitter.input(0), keras_ops::constant({1}, std::vector<std::int64_t>{*number})});
  };
  return mapping;
}

// Equal, or at a finite distance that is tolerated. Keras's own does not hand on its tolerances.
KerasMapping isclose() {
  KerasMapping mapping = write_only(operation("isclose", "LogicalOr"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    Composition steps(emitter);
    const Handle x = emitter.input(0);
    const Handle y = emitter.input(1);
    const Handle distance = steps.elementwise("Absolute", {steps.elementwise("Subtract", {x, y})});
    const Handle of_second =
        steps.elementwise("Multiply", {steps.elementwise("Absolute", {y}), Json(a.number("rtol"))});
    const Handle tolerated =
        steps.elementwise("LessEqual", {distance, steps.elementwise("Add", {of_second, Json(a.number("atol"))})});
    Handle equal = steps.elementwise("Equal", {x, y});
    if (a.boolean("equal_nan"))
      equal = steps.elementwise(
          "LogicalOr",
          {equal, steps.elementwise("LogicalAnd", {steps.elementwise("Isnan", {x}), steps.elementwise("Isnan", {y})})});
    return steps.last("LogicalOr",
                      {equal, steps.elementwise("LogicalAnd", {steps.elementwise("Isfinite", {distance}), tolerated})});
  };
  return mapping;
}

// The result of two inputs, times a factor, added to another input.
KerasMapping added(const std::string& type, const std::string& class_name) {
  KerasMapping mapping = write_only(operation(type, "Add"));
  mapping.lower = [class_name](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    Composition steps(emitter);
    Handle result = steps.elementwise(class_name, {emitter.input(1), emitter.input(2)});
    if (!is_one(a.at("value"))) result = steps.elementwise("Multiply", {result, attribute_to_json(a.at("value"))});
    return steps.last("Add", {emitter.input(0), result});
  };
  return mapping;
}

KerasMapping lerp() {
  KerasMapping mapping = write_only(operation("lerp", "Add"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    Composition steps(emitter);
    const Argument weight =
        a.is_none("weight") ? Argument(emitter.input(2)) : Argument(attribute_to_json(a.at("weight")));
    const Handle way = steps.elementwise("Subtract", {emitter.input(1), emitter.input(0)});
    return steps.last("Add", {emitter.input(0), steps.elementwise("Multiply", {way, weight})});
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {
      layer("add", "Add"),
      beside_numbers({"other"}, binary("add", "Add", "", "other")),
      beside_numbers({"other"}, as_variant("number_first", reversed("add", "Add"))),
      layer("sub", "Subtract"),
      beside_numbers({"other"}, binary("sub", "Subtract", "", "other")),
      beside_numbers({"other"}, reversed("rsub", "Subtract")),
      layer("mul", "Multiply"),
      beside_numbers({"other"}, binary("mul", "Multiply", "", "other")),
      beside_numbers({"other"}, as_variant("number_first", reversed("mul", "Multiply"))),
      floor_quotient(rounded("floor", "FloorDivide")),
      truncated(),
      binary("div", "TrueDivide", "self", "other"),
      binary("div", "Divide", "self", "other"),
      floor_quotient(binary("floor_divide", "FloorDivide", "self", "other")),
      binary("remainder", "Mod", "self", "other"),
      binary("fmod", "Fmod", "", "other"),
      beside_numbers({"self", "exponent"}, binary("pow", "Power", "self", "exponent")),
      chosen("GreaterEqual", layer("maximum", "Maximum")),
      chosen("GreaterEqual", binary("maximum", "Maximum")),
      chosen("LessEqual", layer("minimum", "Minimum")),
      chosen("LessEqual", binary("minimum", "Minimum")),
      chosen("GreaterEqual", binary("fmax", "Fmax")),
      chosen("LessEqual", binary("fmin", "Fmin")),
      layer("Average", "Average"),
      mean(),
      binary("atan2", "Arctan2"),
      binary("hypot", "Hypot"),
      binary("logaddexp", "Logaddexp"),
      binary("eq", "Equal", "", "other"),
      binary("ne", "NotEqual", "", "other"),
      binary("lt", "Less", "", "other"),
      binary("le", "LessEqual", "", "other"),
      binary("gt", "Greater", "", "other"),
      binary("ge", "GreaterEqual", "", "other"),
      as_variant("number_first", reversed("eq", "Equal")),
      as_variant("number_first", reversed("ne", "NotEqual")),
      reversed("gt", "Less"),
      reversed("ge", "LessEqual"),
      reversed("lt", "Greater"),
      reversed("le", "GreaterEqual"),
      binary("logical_and", "LogicalAnd"),
      binary("logical_or", "LogicalOr"),
      binary("logical_xor", "LogicalXor"),
      bitwise("bitwise_and", "BitwiseAnd"),
      as_variant("number", bitwise_by_number("bitwise_and", "BitwiseAnd")),
      bitwise("bitwise_or", "BitwiseOr"),
      as_variant("number", bitwise_by_number("bitwise_or", "BitwiseOr")),
      bitwise("bitwise_xor", "BitwiseXor"),
      as_variant("number", bitwise_by_number("bitwise_xor", "BitwiseXor")),
      giving(promotes_inputs({1, 2}).with_keras_numbers({"self", "other"}),
             operation("where", "Where", {{"self", "x1", spelling::scalar()}, {"other", "x2", spelling::scalar()}},
                       {"condition", "x1", "x2"})),
      masked_fill(),
      binary("logaddexp2", "Logaddexp2"),
      heaviside(),
      isclose(),
      added("addcmul", "Multiply"),
      added("addcdiv", "Divide"),
      lerp(),
  };
}

}  // namespace h5bridge::merge
