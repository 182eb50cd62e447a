#include "keras/call.h"

#include <algorithm>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

using Argument = CallArguments::Argument;

std::optional<History> tensor_of(const Json& argument) {
  const Json* class_name = argument.is_object() ? argument.find("class_name") : nullptr;
  if (!class_name || *class_name != Json("__keras_tensor__")) return std::nullopt;
  return history_of(argument.at("config").at("keras_history"));
}

// Adds the tensors of a list or a dict, however deep; false if anything else is in it, or if names tell them apart.
bool collect_tensors(const Json& argument, std::vector<History>& into) {
  if (const auto tensor = tensor_of(argument)) {
    into.push_back(*tensor);
    return true;
  }
  bool are_all = argument.is_array();
  if (argument.is_array())
    for (const Json& element : argument.as_array()) are_all = collect_tensors(element, into) && are_all;
  if (argument.is_object())
    for (const auto& [name, member] : argument.as_object()) collect_tensors(member, into);
  return are_all;
}

}  // namespace

bool is_history(const Json& json) {
  return json.is_array() && json.as_array().size() == 3 && json.as_array()[0].is_string() &&
         json.as_array()[1].is_integer();
}

History history_of(const Json& json) {
  const Json::Array& triple = json.as_array();
  if (triple.size() < 3) throw MalformedFile("is " + quoted(json) + ", expected [layer, call, output]");
  return {triple[0].as_string(), triple[1].as_integer(), triple[2].as_integer()};
}

CallArguments CallArguments::from_node(const Json& node) {
  CallArguments result;
  if (node.is_array()) {  // Keras 1 and 2: [["x", 0, 0, {}], ...]
    for (const Json& input : node.as_array()) {
      result.positional.push_back(std::vector<History>{history_of(input)});
      if (input.as_array().size() > 3)
        for (const auto& [name, argument] : input.as_array()[3].as_object())
          result.keywords.emplace_back(name, argument);
    }
    return result;
  }
  result.is_keras_3 = node.find(kHandsMaskOn) == nullptr;
  const auto argument_of = [&result](const std::string& name, const Json& json) -> Argument {
    std::vector<History> tensors;
    const bool are_all = collect_tensors(json, tensors);
    if (tensors.empty()) return json;
    if (!are_all && !result.mixed)
      result.mixed = (name.empty() ? "the argument " : shortened(name) + "=") + quoted(json);
    return tensors;
  };
  for (const Json& argument : node.at("args").as_array()) result.positional.push_back(argument_of("", argument));
  for (const auto& [name, argument] : node.at("kwargs").as_object())
    result.keywords.emplace_back(name, argument_of(name, argument));
  return result;
}

bool CallArguments::hands_mask_to_keras_3() const {
  const auto is_tensor = [](const Argument& argument) {
    return std::holds_alternative<std::vector<History>>(argument);
  };
  const auto count = std::ranges::count_if(positional, is_tensor) +
                     std::ranges::count_if(keywords, is_tensor, &std::pair<std::string, Argument>::second);
  return count == 1;
}

bool CallArguments::takes_implied_mask() const {
  const bool is_told = std::ranges::any_of(keywords, [](const auto& keyword) { return keyword.first == "mask"; });
  return !is_told && (!is_keras_3 || hands_mask_to_keras_3());
}

std::vector<History> CallArguments::tensors() const {
  std::vector<History> result;
  const auto add = [&](const Argument& argument) {
    if (const auto* tensors = std::get_if<std::vector<History>>(&argument))
      result.insert(result.end(), tensors->begin(), tensors->end());
  };
  for (const Argument& argument : positional) add(argument);
  for (const auto& [name, argument] : keywords) add(argument);
  return result;
}

bool says_nothing(const std::string& name, const Json& value) {
  return value.is_null() || (name == "training" && value == Json(false));
}

BoundCall bound(const CallArguments& arguments, const KerasMapping& mapping) {
  if (arguments.mixed)
    throw Unsupported("is called with " + *arguments.mixed + ", where tensors stand among others, which is not known");
  BoundCall result;
  const std::vector<Operand>& operands = Registry::instance().find(mapping.type)->operands;
  const auto is_by_name = [&](const std::string& parameter) {
    return std::ranges::any_of(operands, [&](const Operand& o) { return o.by_name && o.name == parameter; });
  };
  const auto take = [&](const std::string& parameter, const Argument& argument) {
    if (const auto* tensors = std::get_if<std::vector<History>>(&argument)) {
      if (is_by_name(parameter) && tensors->size() == 1)
        result.named.emplace_back(parameter, tensors->front());
      else
        result.inputs.insert(result.inputs.end(), tensors->begin(), tensors->end());
      return;
    }
    const Json& constant = std::get<Json>(argument);
    if (says_nothing(parameter, constant)) return;
    if (std::ranges::find(mapping.call, parameter) == mapping.call.end())
      throw Unsupported("is called with " + (parameter.empty() ? "the argument " : shortened(parameter) + "=") +
                        quoted(constant));
    result.constants.set(parameter, constant);
  };
  for (std::size_t i = 0; i < arguments.positional.size(); ++i)
    take(i < mapping.call.size() ? mapping.call[i] : "", arguments.positional[i]);
  // Keywords in the order of the parameters, as their tensors are our inputs.
  std::vector<std::pair<std::string, Argument>> keywords = arguments.keywords;
  const auto place = [&](const auto& keyword) {
    return std::ranges::find(mapping.call, keyword.first) - mapping.call.begin();
  };
  std::ranges::stable_sort(keywords, {}, place);
  for (const auto& [name, argument] : keywords) {
    if (std::holds_alternative<std::vector<History>>(argument) &&
        std::ranges::find(mapping.call, name) == mapping.call.end() && !is_by_name(name))
      throw Unsupported("is called with a tensor as " + shortened(name));
    take(name, argument);
  }
  return result;
}

}  // namespace h5bridge
