#include "facets/aten/row.h"
#include "h5bridge/error.h"

namespace h5bridge::linear {
namespace {

using aten::Call;

void as_linear(Call& call) {
  const Shape weight = call.weight_shape("weight");
  if (weight.size() != 2) throw Unsupported("its weight has shape " + to_string(weight) + ", expected 2 axes");
  call.type = "Linear";
  call.attributes.set("in_features", weight[1]);
  call.attributes.set("out_features", weight[0]);
  call.attributes.set("bias", call.has("bias"));
}

void as_bilinear(Call& call) {
  const Shape weight = call.weight_shape("weight");
  if (weight.size() != 3) throw Unsupported("its weight has shape " + to_string(weight) + ", expected 3 axes");
  call.type = "Bilinear";
  call.attributes.set("in1_features", weight[1]);
  call.attributes.set("in2_features", weight[2]);
  call.attributes.set("out_features", weight[0]);
  call.attributes.set("bias", call.has("bias"));
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {{.operators = {"linear"}, .type = "linear", .parameters = {"weight", "bias"}, .as_module = as_linear},
          {.operators = {"bilinear"}, .type = "bilinear", .parameters = {"weight", "bias"}, .as_module = as_bilinear}};
}

}  // namespace h5bridge::linear
