#include "facets/libtorch/layer.h"

namespace h5bridge::control_flow {
namespace {

// The other tensor may be undefined: nobody has computed it.
TorchInstance build_cond(const Layer&) {
  return function_of_all(
      [](const TorchValues& inputs) { return inputs.at(0).is_nonzero() ? inputs.at(1) : inputs.at(2); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"cond", build_cond}}; }

}  // namespace h5bridge::control_flow
