#include "facets/spec/dtype_rule.h"

#include "model/promotion.h"

namespace h5bridge {
namespace {

void add(Promotion& promotion, const TensorType& type) { promotion.add_tensor(type.dtype, !type.shape.empty()); }

void add_numbers(Promotion& promotion, const std::vector<std::string>& names, const Attributes& attributes) {
  for (const std::string& name : names)
    if (attributes.contains(name) && !attributes.is_none(name))
      promotion.add_number(std::holds_alternative<std::int64_t>(attributes.at(name)));
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
  add_numbers(result, rule.numbers, attributes);
  if (rule.with_one_integer) result.add_number(true);
  return result;
}

DType widened(DType dtype, DTypeRule::Integral integral) {
  if (!is_integral(dtype) || integral == DTypeRule::Integral::Stays) return dtype;
  if (integral == DTypeRule::Integral::TruthBecomesInt32) return dtype == DType::Bool ? DType::Int32 : dtype;
  if (integral == DTypeRule::Integral::BecomesInt32)
    return dtype == DType::Bool || size_of(dtype) < size_of(DType::Int32) ? DType::Int32 : dtype;
  return integral == DTypeRule::Integral::BecomesInt64 ? DType::Int64 : DType::Float32;
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

DTypeRule DTypeRule::at_least_int32() const {
  DTypeRule result = *this;
  result.integral = Integral::BecomesInt32;
  return result;
}

DTypeRule DTypeRule::counting_truth() const {
  DTypeRule result = *this;
  result.integral = Integral::TruthBecomesInt32;
  return result;
}

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
  return widened(operands.result().value_or(DType::Float32), rule.integral);
}

}  // namespace h5bridge
