#include "facets/aten/row.h"

namespace h5bridge::merge {

using aten::Row;

std::vector<Row> aten_rows() {
  std::vector<Row> rows =
      aten::plain_rows({"add",   "sub",         "rsub",        "mul",        "div",         "floor_divide", "remainder",
                        "fmod",  "pow",         "maximum",     "minimum",    "fmax",        "fmin",         "atan2",
                        "hypot", "logaddexp",   "logaddexp2",  "eq",         "ne",          "lt",           "le",
                        "gt",    "ge",          "logical_and", "logical_or", "logical_xor", "heaviside",    "isclose",
                        "where", "masked_fill", "addcmul",     "addcdiv",    "lerp"});
  const std::vector<std::vector<std::string>> others{{"add", "__add__"},
                                                     {"sub", "subtract"},
                                                     {"mul", "multiply"},
                                                     {"div", "divide", "true_divide"},
                                                     {"bitwise_and", "bitwise_and", "__and__"},
                                                     {"bitwise_or", "bitwise_or", "__or__"},
                                                     {"bitwise_xor", "bitwise_xor", "__xor__"},
                                                     {"ne", "not_equal"},
                                                     {"gt", "greater"},
                                                     {"ge", "greater_equal"},
                                                     {"lt", "less"},
                                                     {"le", "less_equal"},
                                                     {"atan2", "arctan2"}};
  for (const auto& names : others) rows.push_back(aten::plain({names.begin() + 1, names.end()}, names[0]));
  return rows;
}

}  // namespace h5bridge::merge
