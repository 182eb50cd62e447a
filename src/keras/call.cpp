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

// Adds the tensors of a list or a dict, however deep, and notes what else is in it, or that names tell them apart.
void collect_tensors(const Json& argument, CallArguments::Tensors& into, bool in_list = false) {
  if (auto tensor = tensor_of(argument)) {
    into.elements.push_back(std::move(tensor));
  } else if (argument.is_array()) {
    for (const Json& element : argument.as_array()) collect_tensors(element, into, true);
  } else if (in_list && argument.is_null()) {
    into.elements.push_back(std::nullopt);
  } else {
    into.has_constants = true;
    if (argument.is_object())
      for (const auto& [name, member] : argument.as_object()) collect_tensors(member, into);
  }
}

void refuse_mixed(const CallArguments::Tensors& tensors) {
  if (!tensors.text.empty())
    throw Unsupported("is called with " + tensors.text + ", where tensors stand among others, which is not known");
}

bool is_tensor(const std::optional<History>& element) { return element.has_value(); }

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
      result.positional.push_back(Tensors{{history_of(input)}});
      if (input.as_array().size() > 3)
        for (const auto& [name, argument] : input.as_array()[3].as_object())
          result.keywords.emplace_back(name, argument);
    }
    return result;
  }
  result.is_keras_3 = node.find(kHandsMaskOn) == nullptr;
  const auto argument_of = [](const std::string& name, const Json& json) -> Argument {
    Tensors tensors;
    collect_tensors(json, tensors);
    if (std::ranges::none_of(tensors.elements, is_tensor)) return json;
    if (tensors.has_constants || !std::ranges::all_of(tensors.elements, is_tensor))
      tensors.text = (name.empty() ? "the argument " : shortened(name) + "=") + quoted(json);
    return tensors;
  };
  for (const Json& argument : node.at("args").as_array()) result.positional.push_back(argument_of("", argument));
  for (const auto& [name, argument] : node.at("kwargs").as_object())
    result.keywords.emplace_back(name, argument_of(name, argument));
  return result;
}

bool CallArguments::hands_mask_to_keras_3() const {
  const auto has_tensors = [](const Argument& argument) { return std::holds_alternative<Tensors>(argument); };
  const auto count = std::ranges::count_if(positional, has_tensors) +
                     std::ranges::count_if(keywords, has_tensors, &std::pair<std::string, Argument>::second);
  return count == 1;
}

bool CallArguments::takes_implied_mask() const {
  // mask=None says as little as no mask at all (layers/layer.py, __call__, "Populate mask argument(s)").
  const bool is_told = std::ranges::any_of(keywords, [](const auto& keyword) {
    const Json* constant = std::get_if<Json>(&keyword.second);
    return keyword.first == "mask" && !(constant && constant->is_null());
  });
  return !is_told && (!is_keras_3 || hands_mask_to_keras_3());
}

std::vector<History> CallArguments::tensors() const {
  std::vector<History> result;
  const auto add = [&](const Argument& argument) {
    if (const auto* tensors = std::get_if<Tensors>(&argument))
      for (const std::optional<History>& tensor : tensors->elements)
        if (tensor) result.push_back(*tensor);
  };
  for (const Argument& argument : positional) add(argument);
  for (const auto& [name, argument] : keywords) add(argument);
  return result;
}

BoundCall bound(const CallArguments& arguments, const KerasMapping& mapping) {
  BoundCall result;
  const std::vector<Operand>& operands = Registry::instance().find(mapping.type)->operands;
  const auto is_by_name = [&](const std::string& parameter) {
    return std::ranges::any_of(operands, [&](const Operand& o) { return o.by_name && o.name == parameter; });
  };
  const auto take = [&](const std::string& parameter, const Argument& argument) {
    if (const auto* tensors = std::get_if<CallArguments::Tensors>(&argument)) {
      const ListParameter* list = mapping.find_list(parameter);
      if (list && !tensors->has_constants && tensors->elements.size() <= list->operands.size()) {
        for (std::size_t i = 0; i < tensors->elements.size(); ++i)
          if (tensors->elements[i] && !list->operands[i].empty())
            result.named.emplace_back(list->operands[i], *tensors->elements[i]);
        return;
      }
      refuse_mixed(*tensors);
      if (is_by_name(parameter) && tensors->elements.size() == 1) {
        result.named.emplace_back(parameter, *tensors->elements[0]);
        return;
      }
      for (const std::optional<History>& tensor : tensors->elements) result.inputs.push_back(*tensor);
      return;
    }
    const Json& constant = std::get<Json>(argument);
    if (mapping.says_nothing(parameter, constant)) return;
    if (parameter == "training" && !arguments.is_keras_3)
      throw Unsupported("is called with training=" + quoted(constant) +
                        ", which Keras 2 heeds in predict(), too, and Keras 3 does not");
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
    const auto* tensors = std::get_if<CallArguments::Tensors>(&argument);
    if (tensors && !mapping.find_list(name)) refuse_mixed(*tensors);
    if (tensors && std::ranges::find(mapping.call, name) == mapping.call.end() && !is_by_name(name))
      throw Unsupported("is called with a tensor as " + shortened(name));
    take(name, argument);
  }
  if (mapping.places) {
    const std::vector<History> given = std::move(result.inputs);
    result.inputs.clear();
    for (const std::size_t taken : mapping.places(given.size()))
      if (taken < given.size()) result.inputs.push_back(given[taken]);
  }
  return result;
}

}  // namespace h5bridge
