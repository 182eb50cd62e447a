#include <algorithm>

#include "facets/libtorch/functional.h"
#include "facets/libtorch/layer.h"
#include "facets/libtorch/padding.h"
#include "facets/spec/kernel.h"
#include "layers/convolution/function.h"

namespace h5bridge::convolution {
namespace {

template <typename Variant>
Variant padding_mode(const std::string& name) {
  if (name == "reflect") return torch::kReflect;
  if (name == "replicate") return torch::kReplicate;
  if (name == "circular") return torch::kCircular;
  return torch::kZeros;
}

// LibTorch's module has no "causal", and "same" for strides of 1 only. It then gets no padding, and its input is padded
// before.
bool pads_before(const Attributes& a) {
  return has_padding_word(a, "causal") || (has_padding_word(a, "same") && has_strides(a));
}

torch::Tensor padded(const torch::Tensor& input, const Attributes& a) {
  const std::string mode = a.text("padding_mode") == "zeros" ? "constant" : a.text("padding_mode");
  return has_padding_word(a, "same") ? pad_same(input, windows_of(a), mode) : pad(input, margins_of(a), mode);
}

template <typename Options>
void set_padding(Options& options, const Attributes& a) {
  using Mode = std::decay_t<decltype(options.padding_mode())>;
  if (pads_before(a)) return;
  options.padding_mode(padding_mode<Mode>(a.text("padding_mode")));
  if (has_padding_word(a, "same"))
    options.padding(torch::kSame);
  else if (!has_padding_word(a, "valid"))
    options.padding(a.integers("padding"));
}

template <typename Convolution, typename Options>
TorchInstance build(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const std::int64_t groups = a.integer("groups");
  // Made with the fewest channels: the tensors of the file take the place of the random ones.
  Options options(groups, groups, a.integers("kernel_size"));
  options.stride(a.integers("stride")).dilation(a.integers("dilation")).groups(groups).bias(a.boolean("bias"));
  set_padding(options, a);
  Convolution module(options);
  module->options.in_channels(a.integer("in_channels")).out_channels(a.integer("out_channels"));

  TorchFunction forward = module_call(module);
  if (pads_before(a)) forward = [forward, a](const torch::Tensor& input) { return forward(padded(input, a)); };
  return unary(module.ptr(), with_activation(a, in_data_format(a, forward)));
}

// Numbers of padding are the convolution's own; for a word the input is lengthened before, as long as zeros do that.
template <typename Implementation>
plan::Operation operation(const Layer& layer, const torch::nn::Module* module) {
  const Attributes& a = layer.attributes;
  const bool is_same = has_padding_word(a, "same");
  if (a.text("padding_mode") != "zeros" && !pads_before(a)) return plan::Opaque{};
  const auto& own = dynamic_cast<const Implementation&>(*module);
  plan::Convolution result{.weight = own.weight,
                           .bias = own.bias,
                           .lengthened = {},
                           .stride = a.integers("stride"),
                           .padding = std::vector<std::int64_t>(a.integers("stride").size()),
                           .dilation = a.integers("dilation"),
                           .groups = a.integer("groups"),
                           .channels_last = a.text("data_format") == "channels_last",
                           .afterwards = plan::afterwards_of(a)};
  if (pads_before(a) || is_same)
    result.lengthened = [a](const torch::Tensor& input) { return padded(input, a); };
  else if (!has_padding_word(a, "valid"))
    result.padding = a.integers("padding");
  // Without strides `same` needs the input's size no more than numbers do.
  if (is_same && !has_strides(a) && a.text("padding_mode") == "zeros") {
    const std::vector<Window> windows = windows_of(a);
    const auto is_even = [](const Window& window) { return window.extent() % 2 == 1; };
    if (std::ranges::all_of(windows, is_even)) {
      result.lengthened = {};
      for (std::size_t axis = 0; axis < windows.size(); ++axis) result.padding[axis] = windows[axis].extent() / 2;
    }
  }
  return result;
}

// ATen has one for numbers of padding and one for its words.
template <typename OfNumbers, typename OfWord>
TorchLayer build_function(std::size_t axes, OfNumbers of_numbers, OfWord of_word) {
  const Functional row = function(axes);
  return {row.name, [=](const Layer& layer) {
            const Attributes& a = layer.attributes;
            return function_of_operands(row, a, [=](const Operands& x) {
              const auto run = [&](auto convolve, auto padding) {
                return convolve(x[0], x[1], given(x[2]), a.integers("stride"), padding, a.integers("dilation"),
                                a.integer("groups"));
              };
              const auto* word = std::get_if<std::string>(&a.at("padding"));
              return word ? run(of_word, std::string_view(*word))
                          : run(of_numbers, at::IntArrayRef(a.integers("padding")));
            });
          }};
}

using OptionalTensor = std::optional<torch::Tensor>;
using Sizes = at::IntArrayRef;
using OfNumbers = torch::Tensor(const torch::Tensor&, const torch::Tensor&, const OptionalTensor&, Sizes, Sizes, Sizes,
                                std::int64_t);
using OfWord = torch::Tensor(const torch::Tensor&, const torch::Tensor&, const OptionalTensor&, Sizes, c10::string_view,
                             Sizes, std::int64_t);

}  // namespace

std::vector<TorchLayer> torch_layers() {
  using namespace torch::nn;
  return {build_function<OfNumbers*, OfWord*>(1, torch::conv1d, torch::conv1d),
          build_function<OfNumbers*, OfWord*>(2, torch::conv2d, torch::conv2d),
          build_function<OfNumbers*, OfWord*>(3, torch::conv3d, torch::conv3d),
          {"Conv1d", build<Conv1d, Conv1dOptions>, operation<Conv1dImpl>},
          {"Conv2d", build<Conv2d, Conv2dOptions>, operation<Conv2dImpl>},
          {"Conv3d", build<Conv3d, Conv3dOptions>, operation<Conv3dImpl>}};
}

}  // namespace h5bridge::convolution
