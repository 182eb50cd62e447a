#include "facets/torch_source/signature.h"

namespace h5bridge::weight_normalization {

std::vector<TorchSource> torch_sources() { return {torch_function("torch._weight_norm(v, g, dim)")}; }

}  // namespace h5bridge::weight_normalization
