#include "facets/aten/row.h"

namespace h5bridge::parameter {
namespace {

using aten::Call;

// g v / |v|, the norm along all axes but `dim`, or along all of them.
void weight_normalised(Call& call) {
  const Json dim = call.take("dim");
  const std::int64_t kept = dim.is_integer() ? dim.as_integer() : 0;
  Json::Object norm{{"keepdim", true}};
  Json::Array others;
  for (std::int64_t axis = 0; axis < call.rank(); ++axis)
    if (axis != kept) others.push_back(axis);
  if (kept >= 0) norm.set("dim", std::move(others));
  const std::string v = call.name_of("v");
  const std::string scaled = call.step("mul", {}, {v, call.name_of("g")});
  call.operands = {{"self", {scaled}, false}, {"other", {call.step("norm", norm, {v})}, false}};
}

}  // namespace

// What takes a tensor of the module's own or a constant finds it without an operator; these hand one on.
std::vector<aten::Row> aten_rows() {
  aten::Row copied = aten::same_value({"clone", "lift_fresh_copy"});
  copied.is_view = false;
  return {std::move(copied),
          aten::same_value({"contiguous", "alias", "lift_fresh", "lift", "positive", "resolve_conj", "resolve_neg"}),
          {.operators = {"_weight_norm", "_weight_norm_interface"}, .type = "div", .adjust = weight_normalised}};
}

}  // namespace h5bridge::parameter
