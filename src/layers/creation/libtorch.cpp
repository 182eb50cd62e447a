#include "facets/libtorch/layer.h"
#include "facets/libtorch/tensors.h"

namespace h5bridge::creation {
namespace {

TorchInstance arange(const Layer& layer) {
  return {nullptr, [a = layer.attributes](const TorchCall& call) {
            const std::int64_t start = known_size(a.sizes("start").at(0), call.symbols);
            const auto options = torch::TensorOptions(call.device).dtype(scalar_type_of(a.dtype("dtype")));
            return TorchValues{
                torch::arange(start, known_size(a.sizes("end").at(0), call.symbols), a.integer("step"), options)};
          }};
}

TorchInstance filled(const Layer& layer, const torch::Scalar& number) {
  return {nullptr, [number, sizes = layer.attributes.sizes("size"),
                    dtype = scalar_type_of(layer.attributes.dtype("dtype"))](const TorchCall& call) {
            std::vector<std::int64_t> known;
            for (const Size& size : sizes) known.push_back(known_size(size, call.symbols));
            return TorchValues{torch::full(known, number, torch::TensorOptions(call.device).dtype(dtype))};
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      {"arange", arange},
      {"zeros", [](const Layer& layer) { return filled(layer, 0); }},
      {"ones", [](const Layer& layer) { return filled(layer, 1); }},
      {"full", [](const Layer& layer) { return filled(layer, scalar_of(layer.attributes.at("fill_value"))); }},
  };
}

}  // namespace h5bridge::creation
