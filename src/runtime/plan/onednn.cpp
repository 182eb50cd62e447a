// Source: aten/src/ATen/native/mkldnn/RegisterMkldnnOpContextClass.cpp.
#include "runtime/plan/onednn.h"

#include <map>
#include <mutex>

#include "facets/libtorch/private_operator.h"

namespace h5bridge::plan {
namespace {

using torch::Tensor;
using Numbers = torch::List<std::optional<at::Scalar>>;
using Sizes = at::IntArrayRef;
using Bias = const std::optional<Tensor>&;
using Word = std::optional<c10::string_view>;

using Convolve = Tensor(const Tensor&, const Tensor&, Bias, Sizes, Sizes, Sizes, std::int64_t, c10::string_view,
                        Numbers, Word);
using ConvolveAndAdd = Tensor(const Tensor&, const Tensor&, const Tensor&, Bias, Sizes, Sizes, Sizes, std::int64_t,
                              c10::string_view, std::optional<at::Scalar>, Word, Numbers, Word);
using ConvolveInto = Tensor&(Tensor&, const Tensor&, const Tensor&, Bias, Sizes, Sizes, Sizes, std::int64_t,
                             c10::string_view, std::optional<at::Scalar>, Word, Numbers, Word);
using Pack2d = Tensor(const Tensor&, Sizes, Sizes, Sizes, std::int64_t, at::OptionalIntArrayRef);

struct Operators {
  std::optional<c10::TypedOperatorHandle<Convolve>> convolve = find_operator<Convolve>(
      "mkldnn::_convolution_pointwise", "",
      "(Tensor X, Tensor W, Tensor? B, int[] padding, int[] stride, int[] dilation, int groups, str attr, Scalar?[] "
      "scalars, str? algorithm)");
  std::optional<c10::TypedOperatorHandle<ConvolveAndAdd>> add = find_operator<ConvolveAndAdd>(
      "mkldnn::_convolution_pointwise", "binary",
      "(Tensor X, Tensor other, Tensor W, Tensor? B, int[] padding, int[] stride, int[] dilation, int groups, str "
      "binary_attr, Scalar? alpha, str? unary_attr, Scalar?[] unary_scalars, str? unary_algorithm)");
  std::optional<c10::TypedOperatorHandle<ConvolveInto>> add_into = find_operator<ConvolveInto>(
      "mkldnn::_convolution_pointwise_", "binary",
      "(Tensor(a!) other, Tensor X, Tensor W, Tensor? B, int[] padding, int[] stride, int[] dilation, int groups, str "
      "binary_attr, Scalar? alpha, str? unary_attr, Scalar?[] unary_scalars, str? unary_algorithm)");
  std::optional<c10::TypedOperatorHandle<Pack2d>> pack = find_operator<Pack2d>(
      "mkldnn::_reorder_convolution_weight", "",
      "(Tensor self, int[2] padding=0, int[2] stride=1, int[2] dilation=1, int groups=1, int[]? input_size=None)");
};

const Operators& operators() {
  static const Operators result;
  return result;
}

Numbers numbers_of(const Activation* activation) {
  Numbers result;
  if (activation)
    for (const std::optional<double>& number : activation->numbers)
      result.push_back(number ? std::optional<at::Scalar>(*number) : std::nullopt);
  return result;
}

std::optional<Tensor> bias_of(const Convolution& convolution) {
  return convolution.bias.defined() ? std::optional(convolution.bias) : std::nullopt;
}

Tensor call(const Tensor& input, const Tensor& weight, const Convolution& c, const Activation* activation) {
  const Word algorithm = activation && !activation->algorithm.empty() ? Word(activation->algorithm.c_str()) : Word("");
  return operators().convolve->call(input, weight, bias_of(c), c.padding, c.stride, c.dilation, c.groups,
                                    activation ? activation->name.c_str() : "none", numbers_of(activation), algorithm);
}

bool is_joined(const Activation& activation) {
  try {
    const Tensor one = torch::ones({1, 1, 1, 1});
    call(one, one,
         {.weight = one,
          .bias = {},
          .lengthened = {},
          .stride = {1, 1},
          .padding = {0, 0},
          .dilation = {1, 1},
          .afterwards = {}},
         &activation);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

bool has_onednn() {
  static const bool result = at::globalContext().userEnabledMkldnn() && at::hasMKLDNN() && operators().convolve &&
                             operators().pack && is_joined({"none", {}, "", {}});
  return result;
}

bool joins(const Activation& activation) {
  static std::map<std::string, bool> known;
  static std::mutex guard;
  const std::lock_guard lock(guard);
  const auto [place, is_new] = known.emplace(activation.name, false);
  if (is_new) place->second = has_onednn() && is_joined(activation);
  return place->second;
}

Tensor packed_weight(const Convolution& c, const std::vector<std::int64_t>& input_sizes) {
  const Tensor weight = c.weight.detach().contiguous();
  try {
    if (c.stride.size() == 3)
      return at::mkldnn_reorder_conv3d_weight(weight.to_mkldnn(), c.padding, c.stride, c.dilation, c.groups,
                                              input_sizes);
    return operators().pack->call(weight, c.padding, c.stride, c.dilation, c.groups, input_sizes);
  } catch (const std::exception&) {
    return {};
  }
}

Tensor convolve(const Tensor& input, const Tensor& weight, const Convolution& c, const Activation* activation) {
  return call(input, weight, c, activation);
}

Tensor convolve_and_add(const Tensor& input, const Tensor& weight, const Convolution& c, Tensor addend, bool relu,
                        bool into_addend) {
  const Word unary = relu ? Word("relu") : std::nullopt;
  if (into_addend && operators().add_into)
    return operators().add_into->call(addend, input, weight, bias_of(c), c.padding, c.stride, c.dilation, c.groups,
                                      "add", at::Scalar(1.0), unary, Numbers(), std::nullopt);
  if (operators().add)
    return operators().add->call(input, addend, weight, bias_of(c), c.padding, c.stride, c.dilation, c.groups, "add",
                                 at::Scalar(1.0), unary, Numbers(), std::nullopt);
  Tensor result = call(input, weight, c, nullptr).add_(addend);
  return relu ? result.relu_() : result;
}

}  // namespace h5bridge::plan
