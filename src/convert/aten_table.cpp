#include <algorithm>

#include "convert/schema.h"
#include "facets/aten/row.h"

namespace h5bridge {
namespace {

std::string quoted_names(std::vector<std::string> names) {
  std::string result;
  for (const std::string& name : names) result += (result.empty() ? "`" : ", `") + name + "`";
  return result;
}

std::string layer_of(const aten::Row& row) { return row.type.empty() ? "the value itself" : "`" + row.type + "`"; }

// What the row's functions make of it is in the source.
std::string remark_of(const aten::Row& row) {
  std::vector<std::string> remarks;
  if (row.as_module) remarks.push_back("of a module's own tensors (" + quoted_names(row.parameters) + ") the module");
  for (const auto& [name, value] : row.nothing_at) remarks.push_back("`" + name + "` has to be `" + value.dump() + "`");
  std::string result;
  for (const std::string& remark : remarks) result += (result.empty() ? "" : "; ") + remark;
  return result;
}

std::string section_of(const std::string& family, const std::vector<const aten::Row*>& rows) {
  std::string result = "\n## " + family + "\n| operator | layer | |\n| --- | --- | --- |\n";
  for (const aten::Row* row : rows)
    result += "| " + (row->whole ? "those of the module" : quoted_names(row->operators)) + " | " + layer_of(*row) +
              " | " + remark_of(*row) + (remark_of(*row).empty() ? "|\n" : " |\n");
  return result;
}

}  // namespace

std::string aten_table() {
  std::string result =
      "# Operators of ATen\n\n"
      "What the operators of an exported program (`.pt2`) become. Generated from the rows in `src/layers/*/aten.cpp`\n"
      "by `h5bridge_generate`; a test compares this copy, and another the core operators of PyTorch. An operator\n"
      "stands for all of its overloads and for the one that works in place (`relu_`). Where it takes a module's own\n"
      "tensors, or is all that a module does, it is that module, under its path.\n";
  for (const auto& [family, rows] : aten::rows_by_family())
    if (!rows.empty()) result += section_of(family, rows);
  return result;
}

}  // namespace h5bridge
