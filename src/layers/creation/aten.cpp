#include <cmath>

#include "facets/aten/row.h"

namespace h5bridge::creation {
namespace {

using aten::Call;
using aten::Row;

// The result has the dtype that arguments, or a tensor beside them, give it.
void dtype_of_result(Call& call) {
  call.operands.clear();
  call.attributes.set("dtype", std::string(name_of(call.output_dtype())));
}

Json integral(const Json& number) {
  if (number.is_float() && std::trunc(number.as_float()) == number.as_float() && std::abs(number.as_float()) < 1e15)
    return static_cast<std::int64_t>(number.as_float());
  return number;
}

void counted(Call& call) {
  dtype_of_result(call);
  for (const char* name : {"start", "end", "step"})
    if (const Json* value = call.attribute(name)) call.attributes.set(name, integral(*value));
}

void filled(Call& call) {
  dtype_of_result(call);
  if (const Json* value = call.attribute("fill_value"); value && value->is_bool())
    call.attributes.set("fill_value", value->as_bool() ? 1 : 0);
}

// Ones where the number of the row is that of the column.
void diagonal_ones(Call& call) {
  const SymbolicShape& shape = call.output_shape();
  const auto count = [&](std::size_t axis) {
    const Size& size = shape.at(axis);
    return call.step("arange", {{"end", size.value() ? Json(*size.value()) : Json(size.str())}}, {});
  };
  const std::string rows = call.step("unsqueeze", {{"dim", 1}}, {count(0)});
  const std::string is_diagonal = call.step("eq", {}, {rows, count(1)});
  call.attributes = {{"dtype", std::string(name_of(call.output_dtype()))}};
  call.operands = {{"input", {is_diagonal}, false}};
}

}  // namespace

std::vector<Row> aten_rows() {
  return {{.operators = {"arange"}, .type = "arange", .adjust = counted},
          {.operators = {"eye"}, .type = "to", .adjust = diagonal_ones},
          {.operators = {"zeros", "new_zeros"}, .type = "zeros", .adjust = dtype_of_result},
          {.operators = {"ones", "new_ones"}, .type = "ones", .adjust = dtype_of_result},
          {.operators = {"full", "new_full"}, .type = "full", .adjust = filled},
          {.operators = {"scalar_tensor"},
           .type = "full",
           .renamed = {{"s", "fill_value"}},
           .defaults = {{"size", Json::Array{}}},
           .adjust = filled}};
}

}  // namespace h5bridge::creation
