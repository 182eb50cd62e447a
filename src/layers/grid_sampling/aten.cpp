#include <array>

#include "facets/aten/row.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge::grid_sampling {
namespace {

using aten::Call;

// The operators have numbers for words (torch/nn/functional.py, grid_sample).
void name_setting(Call& call, const char* name, const std::array<const char*, 3>& words) {
  const Json number = call.take(name);
  if (!number.is_integer() || number.as_integer() < 0 || number.as_integer() > 2)
    throw Unsupported("its " + std::string(name) + " is " + quoted(number));
  call.attributes.set(name, words[static_cast<std::size_t>(number.as_integer())]);
}

void settle(Call& call) {
  name_setting(call, "mode", {"bilinear", "nearest", "bicubic"});
  name_setting(call, "padding_mode", {"zeros", "border", "reflection"});
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {{.operators = {"grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "_grid_sampler_2d_cpu_fallback"},
           .type = "grid_sample",
           .renamed = {{"interpolation_mode", "mode"}},
           .adjust = settle},
          {.operators = {"affine_grid_generator"}, .type = "affine_grid"}};
}

}  // namespace h5bridge::grid_sampling
