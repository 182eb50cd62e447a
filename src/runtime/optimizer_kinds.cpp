#include "runtime/optimizer_kinds.h"

#include <utility>

namespace h5bridge {

namespace optimizers {
#define H5BRIDGE_OPTIMIZER(name)
#define H5BRIDGE_LIBTORCH_OPTIMIZER(name)      \
  namespace name {                             \
  std::vector<OptimizerKind> libtorch_kinds(); \
  }
#include "optimizers/optimizers.def"
#undef H5BRIDGE_LIBTORCH_OPTIMIZER
#undef H5BRIDGE_OPTIMIZER
}  // namespace optimizers

const std::vector<OptimizerKind>& optimizer_kinds() {
  static const std::vector<OptimizerKind> table = [] {
    std::vector<OptimizerKind> result;
#define H5BRIDGE_OPTIMIZER(name)
#define H5BRIDGE_LIBTORCH_OPTIMIZER(name) \
  for (OptimizerKind & kind : optimizers::name::libtorch_kinds()) result.push_back(std::move(kind));
#include "optimizers/optimizers.def"
#undef H5BRIDGE_LIBTORCH_OPTIMIZER
#undef H5BRIDGE_OPTIMIZER
    return result;
  }();
  return table;
}

}  // namespace h5bridge
