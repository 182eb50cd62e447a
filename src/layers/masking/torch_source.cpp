#include "facets/torch_source/signature.h"

namespace h5bridge::masking {
namespace {

constexpr PythonHelper kMasked{"masked",
                               R"py(def masked(x, value=0.0):
    """With zeros for the steps whose features all have a value."""
    return x * (x != value).any(-1, keepdim=True).to(x.dtype))py",
                               {},
                               R"ts(def masked(x: Tensor, value: float=0.0) -> Tensor:
  return x * (x != value).any(-1, keepdim=True).to(x.dtype)
)ts"};

}  // namespace

std::vector<TorchSource> torch_sources() { return {calling(kMasked, "Masking(input, mask_value)")}; }

}  // namespace h5bridge::masking
