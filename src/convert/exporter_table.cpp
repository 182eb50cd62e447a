#include <algorithm>
#include <map>

#include "convert/schema.h"
#include "facets/aten/row.h"
#include "facets/registry.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr const char* kAffine = "elementwise_affine";  // off, the type has no tensors

bool is_class(const std::string& type) { return type[0] >= 'A' && type[0] <= 'Z'; }

// Whether a function without parameters may do what the type does.
bool may_be_without_tensors(const LayerType& type) {
  return type.find_attribute(kAffine) || std::ranges::all_of(type.samples, [&](const Sample& sample) {
           return type.parameters(attributes_from_json(type, sample.attributes, type.name)).empty();
         });
}

std::string names_of(const std::vector<AttributeSpec>& attributes) {
  std::vector<std::string> names;
  for (const AttributeSpec& spec : attributes) names.push_back(spec.name);
  return joined(names, " ");
}

std::string table(const std::string& comment, const std::string& name, const std::map<std::string, std::string>& rows) {
  std::string result = "\n# " + comment + "\n" + name + " = {\n";
  for (const auto& [key, value] : rows) result += "    \"" + key + "\": \"" + value + "\",\n";
  return result + "}\n";
}

}  // namespace

std::string exporter_table(const Registry& registry) {
  std::map<std::string, std::string> modules, operands;
  for (const Family& family : registry.families())
    for (const LayerType& type : family.types)
      if (is_class(type.name) && may_be_without_tensors(type)) modules[type.name] = names_of(type.attributes);
  for (const auto& [family, rows] : aten::rows_by_family())
    for (const aten::Row* row : rows)
      if (!row->parameters.empty() && !is_class(row->type)) operands[row->type] = joined(row->parameters, " ");
  return "\"\"\"What the exporter takes from the registry of layers. Written by h5bridge_generate; a test compares "
         "this "
         "copy.\"\"\"\n" +
         table("Layers of which no tensor is needed, and their attributes.", "MODULES", modules) +
         table("Functions that take the parameters of a module as inputs, and these in the function's order.",
               "OPERANDS", operands);
}

}  // namespace h5bridge
