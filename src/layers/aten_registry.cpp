#include <map>
#include <stdexcept>

#include "facets/aten/row.h"

namespace h5bridge {

#define H5BRIDGE_FAMILY(name)         \
  namespace name {                    \
  std::vector<aten::Row> aten_rows(); \
  }
#include "layers/families.def"
#undef H5BRIDGE_FAMILY

namespace aten {
namespace {

struct Rows {
  std::vector<std::pair<std::string, std::vector<Row>>> families;
  std::map<std::string, const Row*, std::less<>> by_operator, by_class;
};

void index(Rows& rows) {
  for (const auto& [family, its_rows] : rows.families)
    for (const Row& row : its_rows) {
      if (row.whole) rows.by_class.emplace(row.type, &row);
      for (const std::string& name : row.operators)
        if (!rows.by_operator.emplace(name, &row).second) throw std::logic_error("two rows for ATen's " + name);
    }
}

Rows collected() {
  Rows result;
#define H5BRIDGE_FAMILY(name) result.families.emplace_back(#name, name::aten_rows());
#include "layers/families.def"
#undef H5BRIDGE_FAMILY
  index(result);
  return result;
}

const Rows& rows() {
  static const Rows result = collected();
  return result;
}

const Row* row_called(std::string_view operation) {
  const auto found = rows().by_operator.find(operation);
  return found == rows().by_operator.end() ? nullptr : found->second;
}

}  // namespace

const Row* find_row(std::string_view operation) {
  if (const Row* row = row_called(operation)) return row;
  return is_in_place(operation) ? row_called(operation.substr(0, operation.size() - 1)) : nullptr;
}

const Row* find_module_row(std::string_view class_name) {
  const auto found = rows().by_class.find(class_name);
  return found == rows().by_class.end() ? nullptr : found->second;
}

std::vector<std::pair<std::string, std::vector<const Row*>>> rows_by_family() {
  std::vector<std::pair<std::string, std::vector<const Row*>>> result;
  for (const auto& [family, its_rows] : rows().families) {
    result.emplace_back(family, std::vector<const Row*>{});
    for (const Row& row : its_rows) result.back().second.push_back(&row);
  }
  return result;
}

}  // namespace aten
}  // namespace h5bridge
