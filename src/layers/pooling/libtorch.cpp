#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>

#include "facets/libtorch/layer.h"
#include "facets/libtorch/padding.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"

namespace h5bridge::pooling {
namespace {

using torch::Tensor;

// The options that maximum and mean share. For "same" the input is padded before.
template <typename Options>
Options options_for(const Attributes& a) {
  Options options(a.integers("kernel_size"));
  if (!a.is_none("stride")) options.stride(a.integers("stride"));
  if (has_padding_word(a, "same")) return options;
  if (a.contains("padding") && !has_padding_word(a, "valid")) options.padding(a.integers("padding"));
  return options.ceil_mode(a.boolean("ceil_mode"));
}

using Places = std::tuple<Tensor, Tensor>;

// The maxima and their places, of channels on axis 1.
TorchInstance with_places(const Attributes& a, TorchModulePtr module, std::function<Places(const Tensor&)> forward) {
  const bool is_last = a.text("data_format") == "channels_last";
  return {std::move(module), [is_last, forward = std::move(forward)](const TorchCall& call) {
            const Tensor& x = call.inputs.at(0);
            const auto [values, places] = forward(is_last ? x.movedim(-1, 1) : x);
            return is_last ? TorchValues{values.movedim(1, -1), places.movedim(1, -1)} : TorchValues{values, places};
          }};
}

template <typename Pool, typename Options>
TorchInstance build_max(const Layer& layer) {
  const Attributes& a = layer.attributes;
  Pool module(options_for<Options>(a).dilation(a.integers("dilation")));
  if (a.boolean("return_indices"))
    return with_places(a, module.ptr(),
                       [module](const Tensor& input) mutable { return module->forward_with_indices(input); });
  TorchFunction forward = module_call(module);
  if (has_padding_word(a, "same"))
    forward = [forward, windows = windows_of(a)](const Tensor& input) {
      return forward(pad_same(input, windows, "constant", -std::numeric_limits<double>::infinity()));
    };
  return unary(module.ptr(), of_integers_too(in_data_format(a, forward)));
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
  if (a.contains("divisor_override") && !a.is_none("divisor_override"))
    options.divisor_override(a.integer("divisor_override"));
  const Pool module(options);
  const TorchFunction forward = module_call(module);
  return unary(module.ptr(),
               in_data_format(a, has_padding_word(a, "same") ? mean_over_same(forward, windows_of(a)) : forward));
}

// LibTorch's options take None for an element, except in one dimension.
template <typename Pool, typename Element = std::optional<std::int64_t>>
TorchInstance build_adaptive(const Layer& layer) {
  const Attributes& a = layer.attributes;
  std::vector<Element> sizes;
  for (const std::int64_t size : a.integers("output_size")) {
    if constexpr (std::is_same_v<Element, std::int64_t>)
      sizes.push_back(size);
    else
      sizes.push_back(size == kNone ? std::nullopt : std::optional(size));
  }
  Pool module(sizes);
  if constexpr (requires { module->forward_with_indices(Tensor()); })
    if (a.boolean("return_indices"))
      return with_places(a, module.ptr(),
                         [module](const Tensor& input) mutable { return module->forward_with_indices(input); });
  TorchFunction forward = module_call(module);
  if (!a.boolean("keepdims")) forward = [forward](const Tensor& input) { return forward(input).flatten(1); };
  forward = in_data_format(a, forward);
  if constexpr (requires { module->forward_with_indices(Tensor()); }) forward = of_integers_too(forward);
  return unary(module.ptr(), forward);
}

// The mean over the steps that the mask (batch, length) lets count.
Tensor masked_mean(const Attributes& a, const Tensor& input, const Tensor& shown) {
  if (a.integers("output_size") != std::vector<std::int64_t>{1})
    throw Unsupported("a mask is known for the mean over all steps alone");
  const std::int64_t steps = a.text("data_format") == "channels_last" ? 1 : 2;
  const Tensor mask = shown.to(torch::kBool).unsqueeze(3 - steps);
  const bool keepdims = a.boolean("keepdims");
  const Tensor sum = torch::where(mask, input, 0).sum(steps, keepdims);
  return sum / mask.to(sum.scalar_type()).sum(steps, keepdims);
}

TorchInstance build_mean_over_steps(const Layer& layer) {
  TorchInstance instance = build_adaptive<torch::nn::AdaptiveAvgPool1d, std::int64_t>(layer);
  instance.forward = [a = layer.attributes, forward = instance.forward](const TorchCall& call) {
    const Tensor mask = call.input("mask");
    return mask.defined() ? TorchValues{masked_mean(a, call.inputs.at(0), mask)} : forward(call);
  };
  return instance;
}

// Of infinite powers, which LibTorch's module does not know, torch/nn/functional.py makes the extreme absolute values.
template <typename MaxPool, typename MaxOptions, typename Pool, typename Options>
TorchInstance build_power(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const double power = a.number("norm_type");
  if (std::isinf(power)) {
    const MaxPool module(options_for<MaxOptions>(a));
    return unary(module.ptr(), in_data_format(a, [maximum = module_call(module), power](const Tensor& input) {
                   return power > 0 ? maximum(input.abs()) : -maximum(-input.abs());
                 }));
  }
  Options options(power, a.integers("kernel_size"));
  if (!a.is_none("stride")) options.stride(a.integers("stride"));
  const Pool module(options.ceil_mode(a.boolean("ceil_mode")));
  return unary(module.ptr(), in_data_format(a, module_call(module)));
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
      {"LPPool1d", build_power<MaxPool1d, MaxPool1dOptions, LPPool1d, LPPool1dOptions>},
      {"LPPool2d", build_power<MaxPool2d, MaxPool2dOptions, LPPool2d, LPPool2dOptions>},
      {"LPPool3d", build_power<MaxPool3d, MaxPool3dOptions, LPPool3d, LPPool3dOptions>},
      {"AdaptiveAvgPool1d", build_mean_over_steps},
      {"AdaptiveAvgPool2d", build_adaptive<AdaptiveAvgPool2d>},
      {"AdaptiveAvgPool3d", build_adaptive<AdaptiveAvgPool3d>},
      {"AdaptiveMaxPool1d", build_adaptive<AdaptiveMaxPool1d, std::int64_t>},
      {"AdaptiveMaxPool2d", build_adaptive<AdaptiveMaxPool2d>},
      {"AdaptiveMaxPool3d", build_adaptive<AdaptiveMaxPool3d>},
  };
}

}  // namespace h5bridge::pooling
