#include "keras/argument_tensors.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "facets/registry.h"
#include "keras/constants.h"
#include "keras/read_layer.h"

namespace h5bridge {
namespace {

// The elements of an array of integers with one axis, which are as good as a list.
std::optional<Json> list_of_integers(const Json& constant, const std::optional<Layer>& array) {
  if (!array || std::get<Shape>(array->attributes.at("shape")).size() != 1) return std::nullopt;
  const Json& value = constant.at("config").at("value");
  const bool are_integers = std::ranges::all_of(value.as_array(), &Json::is_integer);
  return are_integers && !value.as_array().empty() ? std::optional(value) : std::nullopt;
}

bool reads(const Correspondence& row, const Json& value) {
  try {
    row.spelling.from_keras(value);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void make_arrays(const KerasLayer& called, KerasCall& call, const MakeTensor& tensor_of) {
  const auto mappings = mappings_of(called);
  const auto make = [&](std::size_t position, const std::string& name, KerasArgument& argument) {
    const Json* constant = argument.constant();
    if (!constant) return;
    bool is_setting = false;
    bool takes_array = false;
    bool is_operand = false;
    bool is_known = false;
    std::optional<Layer> array = array_layer(*constant);
    const std::optional<Json> list = list_of_integers(*constant, array);
    bool takes_list = false;
    for (const KerasMapping* mapping : mappings) {
      const std::string& parameter = position < mapping->call.size() ? mapping->call[position] : name;
      const LayerType& type = *Registry::instance().find(mapping->type);
      is_known = is_known || std::ranges::find(mapping->call, parameter) != mapping->call.end();
      for (const Correspondence& row : mapping->attributes) {
        if (row.keras != parameter) continue;
        is_setting = true;
        takes_list = takes_list || (list && reads(row, *list));
        takes_array = takes_array || type.find_attribute(row.attribute)->kind->takes_array();
        is_operand =
            is_operand || std::ranges::find(type.operands, row.attribute, &Operand::attribute) != type.operands.end();
      }
    }
    if (takes_array && !is_operand) return;
    if (is_operand && !takes_array && takes_list) {
      argument = KerasArgument(*list);
      return;
    }
    std::optional<Layer> layer;
    if (!takes_array) layer = std::move(array);
    if (!layer && is_operand) layer = table_layer(*constant);
    if (!layer && is_known && !is_setting) layer = list_layer(*constant);
    if (layer) argument = KerasArgument(tensor_of(std::move(*layer)));
  };
  for (std::size_t i = 0; i < call.arguments.size(); ++i) make(i, "", call.arguments[i]);
  for (auto& [name, argument] : call.keywords) make(std::numeric_limits<std::size_t>::max(), name, argument);
}

KerasCall numbers_as_tensors(KerasCall call, const MakeTensor& tensor_of) {
  const auto make = [&](KerasArgument& argument) {
    const Json* constant = argument.constant();
    if (std::optional<Layer> layer = constant ? number_layer(*constant) : std::nullopt)
      argument = KerasArgument(tensor_of(std::move(*layer)));
  };
  std::ranges::for_each(call.arguments, make);
  for (auto& [name, argument] : call.keywords)
    if (name != "training") make(argument);
  return call;
}

}  // namespace h5bridge
