#include <span>

#include "facets/libtorch/layer.h"

namespace h5bridge::unpooling {
namespace {

// LibTorch wants sizes of batch and channels, too, which it does not look at.
std::optional<std::vector<std::int64_t>> output_size(const Attributes& a, const Symbols& symbols) {
  if (a.is_none("output_size")) return std::nullopt;
  const SymbolicShape& sizes = a.sizes("output_size");
  std::vector<std::int64_t> result{1, 1};
  for (const Size& size : std::span(sizes).last(a.integers("kernel_size").size()))
    result.push_back(known_size(size, symbols));
  return result;
}

template <typename Unpool, typename Options>
TorchInstance build(const Layer& layer) {
  const Attributes& a = layer.attributes;
  Options options(a.integers("kernel_size"));
  options.stride(a.integers(a.is_none("stride") ? "kernel_size" : "stride")).padding(a.integers("padding"));
  Unpool module(options);
  return {module.ptr(), [module, a](const TorchCall& call) mutable {
            const bool is_last = a.text("data_format") == "channels_last";
            const auto first = [&](const torch::Tensor& x) { return is_last ? x.movedim(-1, 1) : x; };
            const torch::Tensor y =
                module->forward(first(call.inputs.at(0)), first(call.inputs.at(1)), output_size(a, call.symbols));
            return TorchValues{is_last ? y.movedim(1, -1) : y};
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  using namespace torch::nn;
  return {
      {"MaxUnpool1d", build<MaxUnpool1d, MaxUnpool1dOptions>},
      {"MaxUnpool2d", build<MaxUnpool2d, MaxUnpool2dOptions>},
      {"MaxUnpool3d", build<MaxUnpool3d, MaxUnpool3dOptions>},
  };
}

}  // namespace h5bridge::unpooling
