#include "facets/libtorch/layer.h"
#include "facets/libtorch/tensors.h"

namespace h5bridge::elementwise {
namespace {

using torch::Tensor;

TorchLayer plain(const char* type, Tensor (*function)(const Tensor&)) {
  return {type, [function](const Layer&) { return unary(function); }};
}

std::optional<torch::Scalar> bound(const Attributes& a, const char* name) {
  return a.is_none(name) ? std::nullopt : std::optional(scalar_of(a.at(name)));
}
std::optional<double> optional_number(const Attributes& a, const char* name) {
  return a.is_none(name) ? std::nullopt : std::optional(a.number(name));
}

TorchInstance build_clamp(const Layer& layer) {
  return unary([low = bound(layer.attributes, "min"), high = bound(layer.attributes, "max")](const Tensor& x) {
    return low || high ? torch::clamp(x, low, high) : x;
  });
}

TorchInstance build_round(const Layer& layer) {
  return unary([decimals = layer.attributes.integer("decimals")](const Tensor& x) {
    return decimals == 0 ? torch::round(x) : torch::round(x, decimals);
  });
}

TorchInstance build_nan_to_num(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary([nan = a.number("nan"), high = optional_number(a, "posinf"),
                low = optional_number(a, "neginf")](const Tensor& x) { return torch::nan_to_num(x, nan, high, low); });
}

TorchInstance build_logit(const Layer& layer) {
  return unary([eps = optional_number(layer.attributes, "eps")](const Tensor& x) { return torch::logit(x, eps); });
}

// One number in the shape of the input.
TorchInstance constant_like(const Layer& layer, const torch::Scalar& value) {
  std::optional<torch::ScalarType> dtype;
  if (!layer.attributes.is_none("dtype")) dtype = scalar_type_of(layer.attributes.dtype("dtype"));
  return unary([value, dtype](const Tensor& x) {
    return torch::full_like(x, value, x.options().dtype(dtype.value_or(x.scalar_type())));
  });
}

TorchInstance build_cast(const Layer& layer) {
  return unary([type = scalar_type_of(layer.attributes.dtype("dtype"))](const Tensor& x) { return x.to(type); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      plain("abs", torch::abs),
      plain("neg", torch::neg),
      plain("detach", torch::detach),
      plain("exp", torch::exp),
      plain("exp2", torch::exp2),
      plain("expm1", torch::expm1),
      plain("log", torch::log),
      plain("log2", torch::log2),
      plain("log10", torch::log10),
      plain("log1p", torch::log1p),
      plain("sqrt", torch::sqrt),
      plain("rsqrt", torch::rsqrt),
      plain("square", torch::square),
      plain("reciprocal", torch::reciprocal),
      plain("sin", torch::sin),
      plain("cos", torch::cos),
      plain("tan", torch::tan),
      plain("asin", torch::asin),
      plain("acos", torch::acos),
      plain("atan", torch::atan),
      plain("sinh", torch::sinh),
      plain("cosh", torch::cosh),
      plain("asinh", torch::asinh),
      plain("acosh", torch::acosh),
      plain("atanh", torch::atanh),
      plain("sinc", torch::sinc),
      plain("erf", torch::erf),
      plain("erfc", torch::erfc),
      plain("erfinv", torch::erfinv),
      plain("i0", torch::i0),
      plain("deg2rad", torch::deg2rad),
      plain("rad2deg", torch::rad2deg),
      plain("floor", torch::floor),
      plain("ceil", torch::ceil),
      plain("trunc", torch::trunc),
      plain("frac", torch::frac),
      plain("sign", torch::sign),
      plain("isnan", torch::isnan),
      plain("isinf", torch::isinf),
      plain("isfinite", torch::isfinite),
      plain("isposinf", torch::isposinf),
      plain("isneginf", torch::isneginf),
      plain("signbit", torch::signbit),
      plain("logical_not", torch::logical_not),
      plain("bitwise_not", torch::bitwise_not),
      plain("Cbrt", [](const Tensor& x) { return torch::copysign(torch::pow(torch::abs(x), 1.0 / 3.0), x); }),
      {"round", build_round},
      {"nan_to_num", build_nan_to_num},
      {"clamp", build_clamp},
      {"logit", build_logit},
      {"zeros_like", [](const Layer& layer) { return constant_like(layer, 0); }},
      {"ones_like", [](const Layer& layer) { return constant_like(layer, 1); }},
      {"full_like",
       [](const Layer& layer) { return constant_like(layer, scalar_of(layer.attributes.at("fill_value"))); }},
      {"to", build_cast},
  };
}

}  // namespace h5bridge::elementwise
