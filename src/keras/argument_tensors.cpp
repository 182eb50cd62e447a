#include "keras/argument_tensors.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <variant>

#include "facets/registry.h"
#include "keras/constants.h"
#include "keras/read_layer.h"

namespace h5bridge {

void make_arrays(const Json& entry, CallArguments& arguments, const MakeTensor& tensor_of) {
  const auto mappings = mappings_of_entry(entry);
  const auto make = [&](std::size_t position, const std::string& name, CallArguments::Argument& argument) {
    const Json* constant = std::get_if<Json>(&argument);
    if (!constant) return;
    bool is_setting = false;
    bool takes_array = false;
    bool is_operand = false;
    bool is_known = false;
    for (const KerasMapping* mapping : mappings) {
      const std::string& parameter = position < mapping->call.size() ? mapping->call[position] : name;
      const LayerType& type = *Registry::instance().find(mapping->type);
      is_known = is_known || std::ranges::find(mapping->call, parameter) != mapping->call.end();
      for (const Correspondence& row : mapping->attributes) {
        if (row.keras != parameter) continue;
        is_setting = true;
        takes_array = takes_array || type.find_attribute(row.attribute)->kind->takes_array();
        is_operand =
            is_operand || std::ranges::find(type.operands, row.attribute, &Operand::attribute) != type.operands.end();
      }
    }
    if (takes_array && !is_operand) return;
    std::optional<Layer> layer;
    if (!takes_array) layer = array_layer(*constant);
    if (!layer && is_operand) layer = table_layer(*constant);
    if (!layer && is_known && !is_setting) layer = list_layer(*constant);
    if (layer) argument = tensor_of(std::move(*layer));
  };
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) make(i, "", arguments.positional[i]);
  for (auto& [name, argument] : arguments.keywords) make(std::numeric_limits<std::size_t>::max(), name, argument);
}

CallArguments numbers_as_tensors(CallArguments arguments, const MakeTensor& tensor_of) {
  const auto make = [&](CallArguments::Argument& argument) {
    const Json* constant = std::get_if<Json>(&argument);
    if (std::optional<Layer> layer = constant ? number_layer(*constant) : std::nullopt)
      argument = tensor_of(std::move(*layer));
  };
  std::ranges::for_each(arguments.positional, make);
  for (auto& [name, argument] : arguments.keywords)
    if (name != "training") make(argument);
  return arguments;
}

}  // namespace h5bridge
