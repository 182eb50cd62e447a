#include <limits>

#include "layers/torch_layer.h"
#include "layers/torch_padding.h"
#include "layers/window.h"

namespace h5bridge::pooling {
namespace {

using torch::Tensor;

// The options that maximum and mean share. For "same" the input is padded before.
template <typename Options>
Options options_for(const Attributes& a) {
  Options options(a.integers("kernel_size"));
  if (!a.is_none("stride")) options.stride(a.integers("stride"));
  if (has_padding_word(a, "same")) return options;
  if (!has_padding_word(a, "valid")) options.padding(a.integers("padding"));
  return options.ceil_mode(a.boolean("ceil_mode"));
}

template <typename Pool, typename Options>
TorchInstance build_max(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const Pool module(options_for<Options>(a).dilation(a.integers("dilation")));
  TorchFunction forward = module_call(module);
  if (has_padding_word(a, "same"))
    forward = [forward, windows = windows_of(a)](const Tensor& input) {
      return forward(pad_same(input, windows, "constant", -std::numeric_limits<double>::infinity()));
    };
  return unary(module.ptr(), in_data_format(a, forward));
}

// The mean of the elements that are there: zeros around the input are in the sum, but not in the count.
TorchFunction mean_over_same(const TorchFunction& mean, const std::vector<Window>& windows) {
  return [=](const Tensor& input) {
    std::vector<std::int64_t> one_image = input.sizes().vec();
    one_image[0] = one_image[1] = 1;
    const Tensor present = mean(pad_same(torch::ones(one_image, input.options()), windows));
    return mean(pad_same(input, windows)) / present;
  };
}

template <typename Pool, typename Options>
TorchInstance build_average(const Layer& layer) {
  const Attributes& a = layer.attributes;
  Options options = options_for<Options>(a).count_include_pad(a.boolean("count_include_pad"));
  if (a.contains("divisor_override") && !a.is_none("divisor_override")) options.divisor_override(a.integer("divisor_override"));
  const Pool module(options);
  const TorchFunction forward = module_call(module);
  return unary(module.ptr(), in_data_format(a, has_padding_word(a, "same") ? mean_over_same(forward, windows_of(a)) : forward));
}

template <typename Pool>
TorchInstance build_adaptive(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const Pool module(a.integers("output_size"));
  TorchFunction forward = module_call(module);
  if (!a.boolean("keepdims")) forward = [forward](const Tensor& input) { return forward(input).flatten(1); };
  return unary(module.ptr(), in_data_format(a, forward));
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  using namespace torch::nn;
  return {
      {"MaxPool1d", build_max<MaxPool1d, MaxPool1dOptions>},
      {"MaxPool2d", build_max<MaxPool2d, MaxPool2dOptions>},
      {"MaxPool3d", build_max<MaxPool3d, MaxPool3dOptions>},
      {"AvgPool1d", build_average<AvgPool1d, AvgPool1dOptions>},
      {"AvgPool2d", build_average<AvgPool2d, AvgPool2dOptions>},
      {"AvgPool3d", build_average<AvgPool3d, AvgPool3dOptions>},
      {"AdaptiveAvgPool1d", build_adaptive<AdaptiveAvgPool1d>},
      {"AdaptiveAvgPool2d", build_adaptive<AdaptiveAvgPool2d>},
      {"AdaptiveAvgPool3d", build_adaptive<AdaptiveAvgPool3d>},
      {"AdaptiveMaxPool1d", build_adaptive<AdaptiveMaxPool1d>},
      {"AdaptiveMaxPool2d", build_adaptive<AdaptiveMaxPool2d>},
      {"AdaptiveMaxPool3d", build_adaptive<AdaptiveMaxPool3d>},
  };
}

}  // namespace h5bridge::pooling
