#include "facets/spec/operand.h"

#include <algorithm>
#include <optional>

#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();

bool is_an_attribute(const Operand& operand, const Attributes& attributes) {
  return !operand.attribute.empty() && attributes.contains(operand.attribute) && !attributes.is_none(operand.attribute);
}

std::size_t most_of(const Operand& operand) { return operand.is_list() ? operand.most : 1; }

std::size_t sum(std::size_t a, std::size_t b) { return a > kAnyNumber - b ? kAnyNumber : a + b; }

bool is_none(const Node::Argument& argument) { return std::holds_alternative<std::monostate>(argument); }

bool has_none(const std::optional<Value>& element) { return !element; }

}  // namespace

Operand required(std::string name) { return {.name = std::move(name)}; }
Operand optional(std::string name) { return {.name = std::move(name), .kind = Operand::Kind::Optional}; }
Operand by_name(std::string name) {
  return {.name = std::move(name), .kind = Operand::Kind::Optional, .by_name = true};
}
Operand mask_of(std::string operand, std::string name) {
  Operand result = by_name(std::move(name));
  result.mask_of = std::move(operand);
  return result;
}
Operand or_attribute(Operand operand, std::string attribute) {
  operand.attribute = std::move(attribute);
  return operand;
}
Operand needed_if(std::string predicate, bool is, Operand operand) {
  operand.decided_by = std::move(predicate);
  operand.needed_where = is;
  return operand;
}
Operand in_any_layout(Operand operand) {
  operand.keeps_axes = true;
  return operand;
}
Operand list(std::string name, std::size_t least, std::size_t most) {
  return {.name = std::move(name), .kind = Operand::Kind::List, .least = least, .most = most};
}

std::vector<Node::Argument> arguments_of(const std::vector<Operand>& operands, const Attributes& attributes,
                                         const PlainCall& call) {
  std::vector<Node::Argument> result(operands.size());
  auto next = call.inputs.begin();
  for (std::size_t i = 0; i < operands.size() && next != call.inputs.end(); ++i) {
    const Operand& operand = operands[i];
    if (operand.by_name || is_an_attribute(operand, attributes)) continue;
    if (!operand.is_list()) {
      result[i] = *next++;
      continue;
    }
    const auto left = static_cast<std::size_t>(call.inputs.end() - next);
    const auto end = next + static_cast<std::ptrdiff_t>(std::min(left, operand.most));
    result[i] = Node::List(next, end);
    next = end;
  }
  for (const auto& [name, value] : call.named) {
    const auto operand = std::ranges::find(operands, name, &Operand::name);
    if (operand == operands.end()) throw Unsupported("takes no input by the name \"" + shortened(name) + "\"");
    Node::Argument& argument = result[static_cast<std::size_t>(operand - operands.begin())];
    if (!is_none(argument)) throw MalformedFile("has its input \"" + name + "\" twice, in order and by name");
    argument = operand->is_list() ? Node::Argument(Node::List{value}) : Node::Argument(value);
  }
  while (!result.empty() && is_none(result.back())) result.pop_back();
  if (next != call.inputs.end()) result.resize(operands.size());
  result.insert(result.end(), next, call.inputs.end());
  return result;
}

PlainCall plain_call(const std::vector<Operand>& operands, const Attributes& attributes,
                     const std::vector<Node::Argument>& arguments) {
  PlainCall result;
  bool in_order = true;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Operand* operand = i < operands.size() ? &operands[i] : nullptr;
    if (is_none(arguments[i])) {
      in_order = in_order && operand && (operand->by_name || is_an_attribute(*operand, attributes));
      continue;
    }
    const auto add = [&](const Value& value) {
      if (operand && (operand->by_name || !in_order))
        result.named.emplace_back(operand->name, value);
      else
        result.inputs.push_back(value);
    };
    if (const auto* value = std::get_if<Value>(&arguments[i])) {
      add(*value);
      continue;
    }
    for (const std::optional<Value>& element : std::get<Node::List>(arguments[i]))
      if (element) add(*element);
  }
  return result;
}

std::size_t least_inputs(const std::vector<Operand>& operands) {
  std::size_t result = 0;
  for (const Operand& operand : operands) {
    if (operand.by_name || !operand.attribute.empty()) continue;
    result += operand.is_list() ? operand.least : operand.kind == Operand::Kind::Required ? 1 : 0;
  }
  return result;
}

std::size_t most_inputs(const std::vector<Operand>& operands) {
  std::size_t result = 0;
  for (const Operand& operand : operands)
    if (!operand.by_name) result = sum(result, most_of(operand));
  return result;
}

std::string wrong_count(const std::vector<Operand>& operands, std::size_t inputs) {
  const std::size_t least = least_inputs(operands);
  const std::size_t most = most_inputs(operands);
  if (inputs >= least && inputs <= most) return {};
  const std::string names = operands.size() == 1 && !operands[0].is_list() ? "" : to_string(operands);
  return "has " + std::to_string(inputs) + (inputs == 1 ? " input" : " inputs") + ", expected " +
         (least == most ? "" : "at least ") + std::to_string(least) + (names.empty() ? "" : ": " + names);
}

std::string wrong_arguments(const std::vector<Operand>& operands, const std::vector<Node::Argument>& arguments) {
  std::size_t given = 0;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto* list = std::get_if<Node::List>(&arguments[i]);
    if (list && i < operands.size() && !operands[i].is_list())
      return "has a list as its input \"" + operands[i].name + "\", expected one value";
    if (list && i < operands.size() && std::ranges::any_of(*list, has_none))
      return "has a list in which one is left out as its input \"" + operands[i].name + "\", expected values";
    if (i < operands.size() && operands[i].by_name) continue;
    given += list ? list->size() : is_none(arguments[i]) ? 0 : 1;
  }
  if (std::string wrong = wrong_count(operands, given); !wrong.empty()) return wrong;
  for (std::size_t i = 0; i < operands.size(); ++i)
    if (operands[i].kind == Operand::Kind::Required && operands[i].attribute.empty() &&
        (i >= arguments.size() || is_none(arguments[i])))
      return "has no input \"" + operands[i].name + "\"";
  return {};
}

std::string to_string(const std::vector<Operand>& operands) {
  std::vector<std::string> words;
  for (const Operand& operand : operands) {
    std::vector<std::string> remarks;
    if (operand.is_list()) remarks.push_back("a list");
    if (!operand.attribute.empty()) remarks.push_back("or an attribute");
    if (operand.by_name) remarks.push_back("by name");
    if (!operand.decided_by.empty())
      remarks.push_back("needed where " + operand.decided_by + " is " + (operand.needed_where ? "true" : "false"));
    if (operand.keeps_axes) remarks.push_back("the same in any layout");
    if (operand.kind == Operand::Kind::Optional) remarks.push_back("may be left out");
    words.push_back(operand.name + (remarks.empty() ? "" : " (" + joined(remarks) + ")"));
  }
  return joined(words);
}

}  // namespace h5bridge
