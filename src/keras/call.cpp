#include "keras/call.h"

#include <algorithm>
#include <optional>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/print_tree.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

/// The tensors of an argument, one or several, among which None may stand.
struct Tensors {
  std::vector<std::optional<History>> elements;
  bool has_constants = false;  // others than None in a list, or names that tell them apart
};

void collect(const KerasArgument& argument, Tensors& into, bool in_list = false) {
  const Json* constant = argument.constant();
  if (const KerasTensor* tensor = argument.tensor()) {
    into.elements.push_back(*tensor);
  } else if (const KerasArgument::List* list = argument.list()) {
    for (const KerasArgument& element : *list) collect(element, into, true);
  } else if (constant && in_list && constant->is_null()) {
    into.elements.push_back(std::nullopt);
  } else {
    into.has_constants = true;
    if (const KerasArgument::Dict* dict = argument.dict())
      for (const auto& [name, member] : *dict) collect(member, into);
  }
}

Tensors tensors_of(const KerasArgument& argument) {
  Tensors tensors;
  collect(argument, tensors);
  return tensors;
}

bool is_mixed(const Tensors& tensors) {
  return tensors.has_constants ||
         !std::ranges::all_of(tensors.elements, [](const auto& element) { return element.has_value(); });
}

std::string text_of(const std::string& name, const KerasArgument& argument) {
  return (name.empty() ? "the argument " : shortened(name) + "=") + quoted(print_argument(argument, print_origin));
}

void refuse_mixed(const Tensors& tensors, const std::string& name, const KerasArgument& argument) {
  if (is_mixed(tensors))
    throw Unsupported("is called with " + text_of(name, argument) +
                      ", where tensors stand among others, which is not known");
}

}  // namespace

bool hands_mask_to_keras_3(const KerasCall& call) {
  return std::ranges::count_if(call.arguments, &KerasArgument::has_tensors) +
             std::ranges::count_if(call.keywords, [](const auto& keyword) { return keyword.second.has_tensors(); }) ==
         1;
}

bool takes_implied_mask(const KerasCall& call) {
  // mask=None says as little as no mask at all (layers/layer.py, __call__, "Populate mask argument(s)").
  const bool is_told = std::ranges::any_of(call.keywords, [](const auto& keyword) {
    const Json* constant = keyword.second.constant();
    return keyword.first == "mask" && !(constant && constant->is_null());
  });
  return !is_told && (call.hands_mask_on || hands_mask_to_keras_3(call));
}

BoundCall bound(const KerasCall& call, const KerasMapping& mapping) {
  BoundCall result;
  const std::vector<Operand>& operands = Registry::instance().find(mapping.type)->operands;
  const auto is_by_name = [&](const std::string& parameter) {
    return std::ranges::any_of(operands, [&](const Operand& o) { return o.by_name && o.name == parameter; });
  };
  const auto take = [&](const std::string& parameter, const std::string& keyword, const KerasArgument& argument) {
    if (argument.has_tensors()) {
      const Tensors tensors = tensors_of(argument);
      const ListParameter* list = mapping.find_list(parameter);
      if (list && !tensors.has_constants && tensors.elements.size() <= list->operands.size()) {
        for (std::size_t i = 0; i < tensors.elements.size(); ++i)
          if (tensors.elements[i] && !list->operands[i].empty())
            result.named.emplace_back(list->operands[i], *tensors.elements[i]);
        return;
      }
      refuse_mixed(tensors, keyword, argument);
      if (is_by_name(parameter) && tensors.elements.size() == 1) {
        result.named.emplace_back(parameter, *tensors.elements[0]);
        return;
      }
      for (const std::optional<History>& tensor : tensors.elements) result.inputs.push_back(*tensor);
      return;
    }
    const Json& constant = *argument.constant();
    if (mapping.says_nothing(parameter, constant)) return;
    if (parameter == "training" && call.hands_mask_on)
      throw Unsupported("is called with training=" + quoted(constant) +
                        ", which Keras 2 heeds in predict(), too, and Keras 3 does not");
    if (std::ranges::find(mapping.call, parameter) == mapping.call.end())
      throw Unsupported("is called with " + (parameter.empty() ? "the argument " : shortened(parameter) + "=") +
                        quoted(constant));
    result.constants.set(parameter, constant);
  };
  for (std::size_t i = 0; i < call.arguments.size(); ++i)
    take(i < mapping.call.size() ? mapping.call[i] : "", "", call.arguments[i]);
  // Keywords in the order of the parameters, as their tensors are our inputs.
  auto keywords = call.keywords;
  const auto place = [&](const auto& keyword) {
    return std::ranges::find(mapping.call, keyword.first) - mapping.call.begin();
  };
  std::ranges::stable_sort(keywords, {}, place);
  for (const auto& [name, argument] : keywords) {
    const bool has_tensors = argument.has_tensors();
    if (has_tensors && !mapping.find_list(name)) refuse_mixed(tensors_of(argument), name, argument);
    if (has_tensors && std::ranges::find(mapping.call, name) == mapping.call.end() && !is_by_name(name))
      throw Unsupported("is called with a tensor as " + shortened(name));
    take(name, name, argument);
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
