#include "facets/libtorch/layer.h"
#include "facets/libtorch/padding.h"

namespace h5bridge::separable_convolution {
namespace {

using torch::nn::Module;

template <typename Convolution, typename Options>
TorchInstance build(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const std::int64_t channels = a.integer("in_channels");
  const std::int64_t between = channels * a.integer("depth_multiplier");
  // Made with the fewest channels: the tensors of the file take the place of the random ones.
  Convolution depthwise(Options(1, 1, a.integers("kernel_size"))
                            .stride(a.integers("stride"))
                            .dilation(a.integers("dilation"))
                            .bias(false));
  depthwise->options.in_channels(channels).out_channels(between).groups(channels);
  Convolution pointwise(Options(1, 1, 1).bias(a.boolean("bias")));
  pointwise->options.in_channels(between).out_channels(a.integer("out_channels"));

  const auto both = std::make_shared<Module>("SeparableConv");
  both->register_module("depthwise", depthwise);
  both->register_module("pointwise", pointwise);
  TorchFunction forward = [first = module_call(depthwise), second = module_call(pointwise)](
                              const torch::Tensor& input) { return second(first(input)); };
  if (a.text("padding") == "same")
    forward = [forward, windows = windows_of(a)](const torch::Tensor& input) {
      return forward(pad_same(input, windows));
    };
  return unary(both, with_activation(a, in_data_format(a, forward)));
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  using namespace torch::nn;
  return {{"SeparableConv1D", build<Conv1d, Conv1dOptions>}, {"SeparableConv2D", build<Conv2d, Conv2dOptions>}};
}

}  // namespace h5bridge::separable_convolution
