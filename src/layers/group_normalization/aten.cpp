#include "facets/aten/row.h"
#include "h5bridge/error.h"

namespace h5bridge::group_normalization {
namespace {

void as_group_norm(aten::Call& call) {
  const SymbolicShape& shape = call.shape();
  if (shape.size() < 2 || !shape[1].value()) throw Unsupported("the channels of its input are open");
  call.type = "GroupNorm";
  call.attributes.set("num_channels", *shape[1].value());
  call.attributes.set("affine", call.has("weight") || call.has("bias"));
  if (call.has("weight")) call.attributes.set("bias", call.has("bias"));
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {{.operators = {"group_norm", "native_group_norm"},
           .type = "group_norm",
           .renamed = {{"group", "num_groups"}},
           .ignored = {"N", "C", "HxW"},
           .parameters = {"weight", "bias"},
           .as_module = as_group_norm}};
}

}  // namespace h5bridge::group_normalization
