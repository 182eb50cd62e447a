#include <algorithm>

#include "facets/aten/row.h"

namespace h5bridge::layer_normalization {
namespace {

using aten::Call;
using aten::Row;

bool are_fixed(const Json* sizes) {
  return sizes && std::ranges::all_of(sizes->as_array(), [](const Json& size) { return size.is_integer(); });
}

void as_layer_norm(Call& call) {
  call.type = "LayerNorm";
  call.attributes.set("elementwise_affine", call.has("weight") || call.has("bias"));
  if (call.has("weight")) call.attributes.set("bias", call.has("bias"));
}

void as_rms_norm(Call& call) {
  call.type = "RMSNorm";
  call.attributes.set("elementwise_affine", call.has("weight"));
}

// A module says it as well, which needs no parameters then.
void without_parameters(Call& call, void (*as_module)(Call&)) {
  if (!call.has("weight") && !call.has("bias") && are_fixed(call.attribute("normalized_shape"))) as_module(call);
}

}  // namespace

std::vector<Row> aten_rows() {
  return {{.operators = {"layer_norm", "native_layer_norm"},
           .type = "layer_norm",
           .ignored = {"cudnn_enable"},
           .adjust = [](Call& call) { without_parameters(call, as_layer_norm); },
           .parameters = {"weight", "bias"},
           .as_module = as_layer_norm},
          {.operators = {"rms_norm", "_fused_rms_norm"},
           .type = "rms_norm",
           .adjust = [](Call& call) { without_parameters(call, as_rms_norm); },
           .parameters = {"weight"},
           .as_module = as_rms_norm}};
}

}  // namespace h5bridge::layer_normalization
