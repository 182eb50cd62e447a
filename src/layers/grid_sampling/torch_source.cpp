#include "facets/torch_source/signature.h"

namespace h5bridge::grid_sampling {

std::vector<TorchSource> torch_sources() {
  return {torch_function("F.grid_sample(input, grid, mode, padding_mode, align_corners)")};
}

}  // namespace h5bridge::grid_sampling
