#include "facets/aten/row.h"

namespace h5bridge::padding {
namespace {

using aten::Call;
using aten::Row;

// A module of padding that makes the call.
void as_module(Call& call) {
  const std::string module = call.module_class();
  if (module.find("Pad") == std::string::npos) return;
  const Json value = call.take("value");
  call.take("mode");
  call.rename("pad", "padding");
  call.type = module;
  if (module.starts_with("Constant")) call.attributes.set("value", value);
}

Row of_mode(std::vector<std::string> operators, const std::string& mode) {
  return {.operators = std::move(operators),
          .type = "pad",
          .renamed = {{"padding", "pad"}},
          .defaults = {{"mode", mode}},
          .adjust = as_module};
}

std::vector<std::string> of_axes(const std::string& name) { return {name + "1d", name + "2d", name + "3d"}; }

}  // namespace

std::vector<Row> aten_rows() {
  return {{.operators = {"pad", "constant_pad_nd"}, .type = "pad", .adjust = as_module},
          of_mode(of_axes("reflection_pad"), "reflect"),
          of_mode(of_axes("replication_pad"), "replicate"),
          {.operators = {"_pad_circular"}, .type = "pad", .defaults = {{"mode", "circular"}}, .adjust = as_module}};
}

}  // namespace h5bridge::padding
