#include "facets/aten/row.h"

namespace h5bridge::reduction {
namespace {

using aten::Call;
using aten::Row;

// No axes are all.
void settle_axes(Call& call) {
  if (const Json* dim = call.attribute("dim"); dim && dim->is_array() && dim->as_array().empty()) call.take("dim");
}

// The larger of two tensors is another layer.
void of_two(Call& call) {
  if (call.has("other")) call.type += "imum";
}

void moment(Call& call) {
  settle_axes(call);
  if (const Json unbiased = call.take("unbiased"); !unbiased.is_null())
    call.attributes.set("correction", unbiased.as_bool() ? 1 : 0);
}

// Of what is joined to its ends first.
void differences(Call& call) {
  if (!call.has("prepend") && !call.has("append")) return;
  aten::Names parts;
  for (const char* name : {"prepend", "self", "append"}) {
    if (const aten::Given* given = call.find(name)) parts.push_back(given->tensors.at(0));
  }
  const std::string whole = call.operation().name + "%whole";
  call.before.push_back(
      {whole, "cat", {{"dim", call.integer("dim", -1)}}, {aten::Given{"tensors", std::move(parts), true}}});
  call.operands = {{"input", {whole}, false}};
}

Row over_axes(std::vector<std::string> operators, const std::string& type) {
  return {.operators = std::move(operators), .type = type, .adjust = settle_axes};
}

}  // namespace

std::vector<Row> aten_rows() {
  std::vector<Row> rows = aten::plain_rows({"cumsum", "cumprod", "count_nonzero", "argmax", "argmin"});
  rows.push_back({.operators = {"diff"}, .type = "diff", .adjust = differences});
  for (const char* name : {"mean", "sum", "nanmean", "nansum", "prod", "amax", "amin", "all", "any"})
    rows.push_back(over_axes({name}, name));
  rows.push_back(over_axes({"logsumexp", "special_logsumexp"}, "logsumexp"));
  for (const char* name : {"max", "min"}) rows.push_back({.operators = {name}, .type = name, .adjust = of_two});
  for (const char* name : {"std", "var"}) rows.push_back({.operators = {name}, .type = name, .adjust = moment});
  rows.push_back(
      {.operators = {"norm", "linalg_vector_norm"}, .type = "norm", .renamed = {{"ord", "p"}}, .adjust = settle_axes});
  return rows;
}

}  // namespace h5bridge::reduction
