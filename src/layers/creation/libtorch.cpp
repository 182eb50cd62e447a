#include "facets/libtorch/layer.h"
#include "facets/libtorch/tensors.h"

namespace h5bridge::creation {
namespace {

TorchInstance arange(const Layer& layer) {
  return {nullptr, [a = layer.attributes](const TorchCall& call) {
            const std::int64_t start = known_size(a.sizes("start").at(0), call.symbols);
            const auto options = torch::TensorOptions(call.device).dtype(scalar_type_of(*dtype_named(a.text("dtype"))));
            return TorchValues{
                torch::arange(start, known_size(a.sizes("end").at(0), call.symbols), a.integer("step"), options)};
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"arange", arange}}; }

}  // namespace h5bridge::creation
