#include "facets/aten/row.h"
#include "facets/spec/kernel.h"

namespace h5bridge::resizing {
namespace {

using aten::Call;
using aten::Row;

// By a size, or by a factor, which then stands beside the size that it gives.
void settle(Call& call) {
  const Json size = call.take("output_size");
  Json factors = call.take("scale_factors");
  Json::Array by_axis;
  for (const char* name : {"scales", "scales_d", "scales_h", "scales_w"})
    if (const Json factor = call.take(name); !factor.is_null()) by_axis.push_back(factor);
  if (factors.is_null() && !by_axis.empty()) factors = std::move(by_axis);
  if (factors.is_null())
    call.attributes.set("size", size);
  else
    call.attributes.set("scale_factor", factors);
  if (const Json* corners = call.attribute("align_corners"); corners && *corners == Json(false))
    call.take("align_corners");
}

// nn.UpsamplingNearest2d and UpsamplingBilinear2d are modules of their own.
void settle_of_module(Call& call) {
  settle(call);
  if (const std::string module = call.module_class(); module.starts_with("Upsampling")) {
    call.type = module;
    for (const char* name : {"mode", "align_corners"}) call.take(name);
  }
}

Row upsampling(const std::string& name, const std::string& mode, bool antialias = false) {
  Row row{.operators = {name}, .type = "Upsample", .defaults = {{"mode", mode}}, .adjust = settle_of_module};
  if (antialias) row.defaults.emplace_back("antialias", true);
  return row;
}

}  // namespace

std::vector<Row> aten_rows() {
  std::vector<Row> rows{upsampling("upsample_linear1d", "linear"),
                        upsampling("upsample_bilinear2d", "bilinear"),
                        upsampling("upsample_trilinear3d", "trilinear"),
                        upsampling("upsample_bicubic2d", "bicubic"),
                        upsampling("_upsample_bilinear2d_aa", "bilinear", true),
                        upsampling("_upsample_bicubic2d_aa", "bicubic", true),
                        upsampling("_upsample_lanczos2d_aa", "lanczos", true)};
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    rows.push_back(upsampling("upsample_nearest" + torch_suffix(axes), "nearest"));
    rows.push_back(upsampling("_upsample_nearest_exact" + torch_suffix(axes), "nearest-exact"));
  }
  return rows;
}

}  // namespace h5bridge::resizing
