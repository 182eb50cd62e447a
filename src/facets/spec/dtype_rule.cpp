#include "facets/spec/dtype_rule.h"

#include "model/promotion.h"

namespace h5bridge {
namespace {

void add(Promotion& promotion, const TensorType& type) { promotion.add_tensor(type.dtype, !type.shape.empty()); }

void add_numbers(Promotion& promotion, const DTypeRule& rule, const Attributes& attributes) {
  for (const std::string& name : rule.numbers)
    if (attributes.contains(name) && !attributes.is_none(name))
      promotion.add_number(!std::holds_alternative<double>(attributes.at(name)), rule.integer);
}

Promotion operands_of(const DTypeRule& rule, const Attributes& attributes, const std::vector<TensorType>& inputs,
                      const std::vector<TensorType>& parameters) {
  Promotion result;
  if (rule.source == DTypeRule::Source::Promotion)
    for (const TensorType& input : inputs) add(result, input);
  for (const std::size_t input : rule.inputs)
    if (input < inputs.size()) add(result, inputs[input]);
  if (rule.source != DTypeRule::Source::Inputs)
    for (const TensorType& parameter : parameters) add(result, parameter);
  add_numbers(result, rule, attributes);
  if (rule.with_one_integer) result.add_number(true, rule.integer);
  return result;
}

DType widened(DType dtype, const DTypeRule& rule) {
  for (const auto& [from, to] : rule.becoming)
    if (dtype == from) return to;
  if (!is_integral(dtype) || rule.integral == DTypeRule::Integral::Stays) return dtype;
  return rule.integral == DTypeRule::Integral::BecomesInt64 ? DType::Int64 : DType::Float32;
}

DTypeRule giving_int32(DTypeRule rule, std::initializer_list<DType> from) {
  for (const DType dtype : from) rule.becoming.emplace_back(dtype, DType::Int32);
  return rule;
}

}  // namespace

DTypeRule DTypeRule::with_numbers(std::vector<std::string> attributes) const {
  DTypeRule result = *this;
  result.numbers = std::move(attributes);
  return result;
}

DTypeRule DTypeRule::with_integer() const {
  DTypeRule result = *this;
  result.with_one_integer = true;
  return result;
}

DTypeRule DTypeRule::at_least_float() const {
  DTypeRule result = *this;
  result.integral = Integral::BecomesFloat;
  return result;
}

DTypeRule DTypeRule::at_least_int64() const {
  DTypeRule result = *this;
  result.integral = Integral::BecomesInt64;
  return result;
}

DTypeRule DTypeRule::with_keras_numbers(std::vector<std::string> attributes) const {
  DTypeRule result = with_numbers(std::move(attributes));
  result.integer = DType::Int32;
  return result;
}

DTypeRule DTypeRule::at_least_int32() const {
  return giving_int32(*this, {DType::Bool, DType::UInt8, DType::Int8, DType::UInt16, DType::Int16});
}

DTypeRule DTypeRule::at_most_int32() const { return giving_int32(*this, {DType::Int64}); }
DTypeRule DTypeRule::counting_truth() const { return giving_int32(*this, {DType::Bool}); }
DTypeRule DTypeRule::widening_int8() const { return giving_int32(*this, {DType::Int8}); }

DTypeRule promotes() { return {}; }
DTypeRule keeps(std::size_t input) { return promotes_inputs({input}); }
DTypeRule promotes_inputs(std::vector<std::size_t> inputs) {
  return {.source = DTypeRule::Source::Inputs, .inputs = std::move(inputs)};
}
DTypeRule of_parameters() { return {.source = DTypeRule::Source::Parameters}; }
DTypeRule gives(DType dtype) { return {.source = DTypeRule::Source::Fixed, .dtype = dtype}; }

DTypeRule gives_truth() { return {.source = DTypeRule::Source::Truth}; }

DTypeRules of_attribute(std::string attribute, DTypeRule otherwise) {
  return DTypeRules::Choice([attribute = std::move(attribute),
                             otherwise = std::move(otherwise)](const Attributes& a) -> std::vector<DTypeRule> {
    if (a.is_none(attribute)) return {otherwise};
    return {gives(a.dtype(attribute))};
  });
}

DType dtype_by(const DTypeRule& rule, const Attributes& attributes, const std::vector<TensorType>& inputs,
               const std::vector<TensorType>& parameters) {
  if (rule.source == DTypeRule::Source::Fixed) return rule.dtype;
  if (rule.source == DTypeRule::Source::Truth) return inputs.at(0).dtype == DType::UInt8 ? DType::UInt8 : DType::Bool;
  const Promotion operands = operands_of(rule, attributes, inputs, parameters);
  return widened(operands.result().value_or(DType::Float32), rule);
}

}  // namespace h5bridge
