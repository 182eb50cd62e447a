#include "facets/torch_source/signature.h"

namespace h5bridge::memory_format {

std::vector<TorchSource> torch_sources() { return {torch_function("input.contiguous()")}; }

}  // namespace h5bridge::memory_format
