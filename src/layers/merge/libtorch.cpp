#include <cmath>

#include "layers/torch_layer.h"

namespace h5bridge::merge {
namespace {

using Binary = torch::Tensor (*)(const torch::Tensor&, const torch::Tensor&);

torch::Tensor multiply(const torch::Tensor& a, const torch::Tensor& b) { return torch::mul(a, b); }
torch::Tensor maximum(const torch::Tensor& a, const torch::Tensor& b) { return torch::maximum(a, b); }
torch::Tensor minimum(const torch::Tensor& a, const torch::Tensor& b) { return torch::minimum(a, b); }

template <typename Operation>
torch::Tensor fold(const TorchValues& inputs, const Operation& operation) {
  torch::Tensor result = inputs.at(0);
  for (std::size_t i = 1; i < inputs.size(); ++i) result = operation(result, inputs[i]);
  return result;
}

// Integer tensors take integer factors only.
torch::Scalar scalar(double value) {
  const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
  return whole ? torch::Scalar(static_cast<std::int64_t>(value)) : torch::Scalar(value);
}

torch::Tensor divide(const torch::Tensor& a, const torch::Tensor& b) { return torch::div(a, b); }

// An operator on tensors, or on a tensor and the number `other`.
template <Binary operation, torch::Tensor (*with_number)(const torch::Tensor&, const torch::Scalar&)>
TorchInstance build_arithmetic(const Layer& layer) {
  const Attributes& a = layer.attributes;
  if (a.is_none("other")) return function_of_all([](const TorchValues& inputs) { return fold(inputs, operation); });
  return function_of_all([other = scalar(a.number("other"))](const TorchValues& inputs) { return with_number(inputs.at(0), other); });
}

torch::Tensor multiply_by(const torch::Tensor& a, const torch::Scalar& other) { return torch::mul(a, other); }
torch::Tensor divide_by(const torch::Tensor& a, const torch::Scalar& other) { return torch::div(a, other); }

template <Binary operation>
TorchInstance build(const Layer&) {
  return function_of_all([](const TorchValues& inputs) { return fold(inputs, operation); });
}

template <torch::Tensor (*operation)(const torch::Tensor&, const torch::Tensor&, const torch::Scalar&),
          torch::Tensor (*with_number)(const torch::Tensor&, const torch::Scalar&, const torch::Scalar&)>
TorchInstance build_scaled(const Layer& layer) {
  const Attributes& a = layer.attributes;
  if (!a.is_none("other"))
    return function_of_all([other = scalar(a.number("other")), alpha = scalar(a.number("alpha"))](const TorchValues& inputs) {
      return with_number(inputs.at(0), other, alpha);
    });
  return function_of_all([alpha = scalar(a.number("alpha"))](const TorchValues& inputs) {
    return fold(inputs, [&](const torch::Tensor& left, const torch::Tensor& right) { return operation(left, right, alpha); });
  });
}

torch::Tensor add(const torch::Tensor& a, const torch::Tensor& b, const torch::Scalar& alpha) { return torch::add(a, b, alpha); }
torch::Tensor subtract(const torch::Tensor& a, const torch::Tensor& b, const torch::Scalar& alpha) { return torch::sub(a, b, alpha); }

torch::Tensor add_number(const torch::Tensor& a, const torch::Scalar& b, const torch::Scalar& alpha) { return torch::add(a, b, alpha); }
torch::Tensor subtract_number(const torch::Tensor& a, const torch::Scalar& b, const torch::Scalar& alpha) { return torch::sub(a, b, alpha); }

TorchInstance build_average(const Layer&) {
  return function_of_all([](const TorchValues& inputs) {
    return fold(inputs, [](const torch::Tensor& a, const torch::Tensor& b) { return a + b; }) / static_cast<std::int64_t>(inputs.size());
  });
}

TorchInstance build_concatenation(const Layer& layer) {
  return function_of_all([dim = layer.attributes.integer("dim")](const TorchValues& inputs) { return torch::cat(inputs, dim); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"add", build_scaled<add, add_number>},
          {"sub", build_scaled<subtract, subtract_number>},
          {"mul", build_arithmetic<multiply, multiply_by>},
          {"div", build_arithmetic<divide, divide_by>},
          {"maximum", build<maximum>},
          {"minimum", build<minimum>},
          {"Average", build_average},
          {"cat", build_concatenation}};
}

}  // namespace h5bridge::merge
