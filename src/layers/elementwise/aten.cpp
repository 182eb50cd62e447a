#include "facets/aten/row.h"
#include "h5bridge/error.h"

namespace h5bridge::elementwise {
namespace {

using aten::Call;
using aten::Row;

// The result's, which may be the input's own.
void cast(Call& call) {
  call.operands.resize(1);
  call.attributes = {{"dtype", std::string(name_of(call.output_dtype()))}};
  call.is_same_value = call.output_dtype() == call.dtype();
}

// By a tensor on one side.
void bounded(Call& call) {
  if (!call.has("min") && !call.has("max")) return;
  if (call.has("min") && call.has("max")) {
    call.operands.at(0).tensors = {call.step("maximum", {}, {call.operands[0].tensors.at(0), call.name_of("min")})};
    call.drop("min");
  }
  call.type = call.has("min") ? "maximum" : "minimum";
  call.operands.at(1).name = "other";
}

// What is made of a constant, and what is no float, has no gradient anyhow.
void detached(Call& call) {
  const aten::Operation* maker = call.maker_of(call.name_of("self"));
  call.is_same_value = !is_floating_point(call.dtype()) || (maker && maker->plain_name() == "lift_fresh_copy");
}

// With a number, or a tensor that is one.
void filled(Call& call) {
  call.rename("value", "fill_value");
  if (!call.has("value")) return;
  std::string number = call.name_of("value");
  const std::string target = call.name_of("self");
  if (call.operand_dtype("value") != call.operand_dtype("self"))
    number = call.step("to", {{"dtype", std::string(name_of(call.operand_dtype("self")))}}, {number});
  call.type = "expand_as";
  call.operands = {{"input", {number}, false}, {"other", {target}, false}};
}

}  // namespace

std::vector<Row> aten_rows() {
  const std::vector<std::string> plain{
      "abs",        "neg",   "exp",       "exp2",       "expm1",    "log",      "log2",    "log10",       "log1p",
      "sqrt",       "rsqrt", "square",    "reciprocal", "sin",      "cos",      "tan",     "asin",        "acos",
      "atan",       "sinh",  "cosh",      "asinh",      "acosh",    "atanh",    "sinc",    "erf",         "erfc",
      "erfinv",     "i0",    "deg2rad",   "rad2deg",    "floor",    "ceil",     "trunc",   "frac",        "round",
      "sign",       "isnan", "isinf",     "isfinite",   "isposinf", "isneginf", "signbit", "logical_not", "bitwise_not",
      "nan_to_num", "logit", "ones_like", "zeros_like", "full_like"};
  std::vector<Row> rows = aten::plain_rows(plain);
  for (const char* name : {"cos", "sin", "tan", "cosh", "sinh", "tanh"})
    rows.push_back(aten::plain({"arc" + std::string(name)}, "a" + std::string(name)));
  for (const char* name : {"erf", "erfc", "erfinv", "exp2", "expm1", "log1p", "round", "sinc", "i0", "logit"})
    rows.push_back(aten::plain({"special_" + std::string(name)}, name));
  rows.push_back(aten::plain({"absolute"}, "abs"));
  rows.push_back(aten::plain({"negative"}, "neg"));
  rows.push_back(aten::plain({"fix"}, "trunc"));
  rows.push_back(aten::plain({"sgn"}, "sign"));
  rows.push_back({.operators = {"clamp", "clip", "clamp_min", "clamp_max"}, .type = "clamp", .adjust = bounded});
  rows.push_back({.operators = {"fill"}, .type = "full_like", .adjust = filled});
  rows.push_back({.operators = {"detach"}, .type = "detach", .adjust = detached, .is_view = true});
  rows.push_back({.operators = {"zero"}, .type = "zeros_like"});
  rows.push_back({.operators = {"to", "_to_copy", "type_as"}, .type = "to", .adjust = cast, .is_view = true});
  return rows;
}

}  // namespace h5bridge::elementwise
