#include "facets/aten/row.h"

namespace h5bridge::aten {

bool is_in_place(std::string_view operation) { return operation.ends_with('_') && !operation.ends_with("__"); }

Row plain(std::vector<std::string> operators, std::string type) {
  return {.operators = std::move(operators), .type = std::move(type)};
}

std::vector<Row> plain_rows(const std::vector<std::string>& names) {
  std::vector<Row> result;
  for (const std::string& name : names) result.push_back(plain({name}, name));
  return result;
}

Row view(Row row) {
  row.is_view = true;
  return row;
}

Row whole_module(std::string type, std::function<std::optional<ModuleForm>(const ModuleGroup&)> read) {
  return {.operators = {}, .type = std::move(type), .whole = std::move(read)};
}

Row same_value(std::vector<std::string> operators) {
  return {.operators = std::move(operators), .type = "", .is_view = true};
}

}  // namespace h5bridge::aten
