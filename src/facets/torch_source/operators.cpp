#include "facets/torch_source/operators.h"

#include <algorithm>

namespace h5bridge {
namespace {

constexpr const char* kAligned = "aligned_at_batch";

bool is_aligned(const SourceCall& call) {
  return call.attributes().contains(kAligned) && call.attributes().boolean(kAligned);
}

std::size_t largest_rank(const SourceCall& call) {
  std::size_t result = 0;
  for (const auto& types : call.input_types)
    for (const TensorType& type : types) result = std::max(result, type.shape.size());
  return result;
}

bool gives_numbers(const SourceCall& call, const std::string& attribute) {
  return !attribute.empty() && !call.attributes().is_none(attribute);
}

// A name or a number: black writes no blanks around ** between these.
bool is_simple(const Python& operand) {
  return std::ranges::all_of(operand.text, [](char c) {
    return c == '.' || c == '_' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
  });
}

}  // namespace

std::vector<Python> operands_in_turn(const SourceCall& call) {
  std::vector<Python> result;
  const std::size_t rank = largest_rank(call);
  for (std::size_t i = 0; i < call.type.operands.size(); ++i) {
    const Operand& operand = call.type.operands[i];
    const bool is_given = i < call.operands.size() && !call.operands[i].empty();
    if (!is_given && gives_numbers(call, operand.attribute))
      result.push_back(python_value(call.attributes().at(operand.attribute)));
    if (!is_given) continue;
    for (std::size_t j = 0; j < call.operands[i].size(); ++j) {
      Python value = call.operands[i][j].value();
      const std::size_t own = call.input_types[i][j].shape.size();
      for (std::size_t axes = own; is_aligned(call) && own > 0 && axes < rank; ++axes)
        value = value.receiver() + ".unsqueeze(1)";
      result.push_back(std::move(value));
    }
  }
  return result;
}

Python infix(const std::vector<Python>& operands, const std::string& sign, Binding binding) {
  const auto tighter = static_cast<Binding>(static_cast<int>(binding) + 1);
  // a < b < c is no comparison of a < b with c.
  std::string result = operands.at(0).within(binding == Binding::Comparison ? tighter : binding);
  for (std::size_t i = 1; i < operands.size(); ++i) result += " " + sign + " " + operands[i].within(tighter);
  return {result, binding};
}

TorchSource operator_of(std::string type, std::string sign, Binding binding) {
  return torch_code(std::move(type),
                    [sign, binding](const SourceCall& call) { return infix(operands_in_turn(call), sign, binding); });
}

// PyTorch subtracts no truth values; beside a number they are numbers.
TorchSource scaled_operator(std::string type, std::string sign) {
  const std::string function = "torch." + type;
  return torch_code(std::move(type), [sign, function](const SourceCall& call) -> Python {
    const std::vector<Python> operands = operands_in_turn(call);
    const AttributeValue& alpha = call.attributes().at("alpha");
    const bool is_one = alpha == AttributeValue(std::int64_t{1}) || alpha == AttributeValue(1.0);
    if (is_one) return infix(operands, sign, Binding::Sum);
    return function + "(" + operands.at(0).text + ", " + operands.at(1).text + ", alpha=" + python_value(alpha).text +
           ")";
  });
}

TorchSource division(std::string type, std::string sign) {
  const std::string function = "torch." + type;
  return torch_code(std::move(type), [sign, function](const SourceCall& call) -> Python {
    const Attributes& a = call.attributes();
    std::vector<Python> operands = operands_in_turn(call);
    const bool rounds = a.contains("rounding_mode") && !a.is_none("rounding_mode");
    if (!a.is_none("self")) {
      const DType dtype = call.outputs.at(0).dtype;
      operands[0] = "torch.tensor(" + operands[0].text +
                    (dtype == DType::Float32 ? "" : ", dtype=" + python_value(AttributeValue(dtype)).text) + ")";
    }
    if (!rounds) return infix(operands, sign, Binding::Product);
    return function + "(" + operands.at(0).text + ", " + operands.at(1).text +
           ", rounding_mode=" + python_string(a.text("rounding_mode")) + ")";
  });
}

TorchSource power() {
  return torch_code("pow", [](const SourceCall& call) -> Python {
    const std::vector<Python> operands = operands_in_turn(call);
    if (!call.attributes().is_none("self")) return "torch.pow(" + operands[0].text + ", " + operands[1].text + ")";
    const bool tight = is_simple(operands[0]) && is_simple(operands[1]);
    // A sign before the base would be the power's.
    return {operands[0].receiver() + (tight ? "**" : " ** ") + operands[1].within(Binding::Sign), Binding::Power};
  });
}

TorchSource folded(std::string type) {
  const std::string function = "torch." + type;
  return torch_code(std::move(type), [function](const SourceCall& call) -> Python {
    const std::vector<Python> operands = operands_in_turn(call);
    std::string result = operands.at(0).text;
    for (std::size_t i = 1; i < operands.size(); ++i) result = function + "(" + result + ", " + operands[i].text + ")";
    return result;
  });
}

}  // namespace h5bridge
