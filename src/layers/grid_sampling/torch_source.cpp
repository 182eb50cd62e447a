#include "facets/torch_source/signature.h"

namespace h5bridge::grid_sampling {

std::vector<TorchSource> torch_sources() {
  return {torch_function("F.grid_sample(input, grid, mode, padding_mode, align_corners)"),
          torch_code("affine_grid", [](const SourceCall& call) {
            return Python("F.affine_grid(" + call.input().text + ", " + python_value(call, "size").text +
                          ", align_corners=" + (call.attributes().boolean("align_corners") ? "True" : "False") + ")");
          })};
}

}  // namespace h5bridge::grid_sampling
