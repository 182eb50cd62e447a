#include <algorithm>

#include "facets/torch_source/operators.h"
#include "facets/torch_source/signature.h"
#include "layers/merge/operands.h"

namespace h5bridge::merge {
namespace {

Python as_bool(const SourceCall& call, std::size_t index) {
  const Python value = call.input(index);
  return call.input_types.at(index).at(0).dtype == DType::Bool ? value : Python(value.receiver() + ".bool()");
}

Python average(const SourceCall& call) {
  const std::vector<Python> terms = operands_in_turn(call);
  return {"(" + infix(terms, "+", Binding::Sum).text + ") / " + std::to_string(terms.size()), Binding::Product};
}

// "1.0 - x"; TorchScript would negate and add instead.
Python reversed_difference(const SourceCall& call) {
  const std::vector<Python> operands = operands_in_turn(call);
  const AttributeValue& alpha = call.attributes().at("alpha");
  const bool is_one = alpha == AttributeValue(std::int64_t{1}) || alpha == AttributeValue(1.0);
  if (is_one && !call.place.is_script()) return infix({operands.at(1), operands.at(0)}, "-", Binding::Sum);
  return "torch.rsub(" + operands.at(0).text + ", " + operands.at(1).text +
         (is_one ? "" : ", alpha=" + python_value(alpha).text) + ")";
}

Python masked_fill(const SourceCall& call) {
  return call.input().receiver() + ".masked_fill(" + as_bool(call, 1).text + ", " +
         python_value(call.attributes().at("value")).text + ")";
}

Python where(const SourceCall& call) {
  const auto chosen = [&](const char* name) {
    return call.operand(name) ? call.operand(name)->text : python_value(call.attributes().at(name)).text;
  };
  return "torch.where(" + as_bool(call, 0).text + ", " + chosen("self") + ", " + chosen("other") + ")";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return all_of({
      {scaled_operator("add", "+"), scaled_operator("sub", "-"), torch_code("rsub", reversed_difference),
       operator_of("mul", "*", Binding::Product), division("div", "/"), division("floor_divide", "//"),
       torch_function_as("remainder", "torch.remainder(self, other)"), torch_function("torch.fmod(input, other)"),
       power(), folded("maximum"), folded("minimum"), folded("fmax"), folded("fmin"), torch_code("Average", average)},
      torch_functions("torch", "atan2 hypot logaddexp logaddexp2 logical_and logical_or logical_xor heaviside",
                      "input, other"),
      {operator_of("eq", "==", Binding::Comparison), operator_of("ne", "!=", Binding::Comparison),
       operator_of("lt", "<", Binding::Comparison), operator_of("le", "<=", Binding::Comparison),
       operator_of("gt", ">", Binding::Comparison), operator_of("ge", ">=", Binding::Comparison),
       operator_of("bitwise_and", "&", Binding::BitAnd), operator_of("bitwise_or", "|", Binding::BitOr),
       operator_of("bitwise_xor", "^", Binding::BitXor), torch_code("where", where),
       torch_code("masked_fill", masked_fill), torch_function("torch.isclose(input, other, *, rtol, atol, equal_nan)"),
       torch_function("torch.addcmul(input, tensor1, tensor2, *, value)"),
       torch_function("torch.addcdiv(input, tensor1, tensor2, *, value)"),
       torch_function("torch.lerp(input, end, weight)")},
  });
}

}  // namespace h5bridge::merge
