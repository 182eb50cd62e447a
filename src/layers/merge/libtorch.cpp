#include "facets/libtorch/layer.h"
#include "layers/merge/operands.h"

namespace h5bridge::merge {
namespace {

using torch::Scalar;
using torch::Tensor;

template <typename Operation>
Tensor fold(const TorchValues& inputs, const Operation& operation) {
  Tensor result = inputs.at(0);
  for (std::size_t i = 1; i < inputs.size(); ++i) result = operation(result, inputs[i]);
  return result;
}

// Inputs of the largest rank, each lengthened behind its batch.
TorchValues aligned_at_batch(TorchValues inputs) {
  std::int64_t rank = 0;
  for (const Tensor& input : inputs) rank = std::max(rank, input.dim());
  for (Tensor& input : inputs)
    while (input.dim() > 0 && input.dim() < rank) input = input.unsqueeze(1);
  return inputs;
}

bool is_aligned_at_batch(const Attributes& a) { return a.contains(kAlignedAtBatch) && a.boolean(kAlignedAtBatch); }

bool has_number(const Attributes& a, const char* name) { return a.contains(name) && !a.is_none(name); }

template <typename Operation>
TorchInstance of_tensors(const Layer& layer, Operation operation) {
  if (is_aligned_at_batch(layer.attributes))
    return function_of_all(
        [operation](const TorchValues& inputs) { return fold(aligned_at_batch(inputs), operation); });
  return function_of_all([operation](const TorchValues& inputs) { return fold(inputs, operation); });
}

// Operators on tensors alone.
template <typename Operation>
TorchLayer tensors(const char* type, Operation operation) {
  return {type, [operation](const Layer& layer) { return of_tensors(layer, operation); }};
}

// Operators on tensors, or on a tensor and the number `second`, or on the number `self` and a tensor.
template <typename Operation>
TorchLayer with_numbers(const char* type, const char* second, Operation operation) {
  return {type, [second, operation](const Layer& layer) {
            const Attributes& a = layer.attributes;
            if (has_number(a, second))
              return function_of_all([operation, other = scalar_of(a.at(second))](const TorchValues& inputs) {
                return operation(inputs.at(0), other);
              });
            if constexpr (std::is_invocable_v<Operation, Scalar, Tensor>)
              if (has_number(a, "self"))
                return function_of_all([operation, self = scalar_of(a.at("self"))](const TorchValues& inputs) {
                  return operation(self, inputs.at(0));
                });
            return of_tensors(layer, operation);
          }};
}

// PyTorch subtracts no truth values; beside a number they are numbers for Keras.
Tensor as_number(const Tensor& x, const Tensor& other) {
  return x.scalar_type() == torch::kBool ? x.to(other.scalar_type()) : x;
}

// Operators whose second operand has a factor.
template <typename Operation>
TorchLayer scaled(const char* type, Operation operation) {
  return {type, [operation](const Layer& layer) {
            const Attributes& a = layer.attributes;
            const Scalar alpha = scalar_of(a.at("alpha"));
            if (has_number(a, "other"))
              return function_of_all([operation, alpha, other = scalar_of(a.at("other"))](const TorchValues& inputs) {
                return operation(inputs.at(0), other, alpha);
              });
            return of_tensors(layer, [operation, alpha](const Tensor& left, const Tensor& right) {
              return operation(as_number(left, right), as_number(right, left), alpha);
            });
          }};
}

// In the type that both have together: a fraction stays one beside integers.
Tensor as_tensor(const Scalar& number, const Tensor& like) {
  return at::scalar_tensor(number, like.options().dtype(at::result_type(like, number)));
}

struct Division {
  std::optional<std::string> rounding;
  Tensor operator()(const Tensor& a, const Tensor& b) const {
    return rounding ? torch::div(a, b, *rounding) : torch::div(a, b);
  }
  Tensor operator()(const Tensor& a, const Scalar& b) const {
    return rounding ? torch::div(a, b, *rounding) : torch::div(a, b);
  }
  Tensor operator()(const Scalar& a, const Tensor& b) const { return (*this)(as_tensor(a, b), b); }
};

struct FloorDivision {
  Tensor operator()(const Tensor& a, const Tensor& b) const { return torch::floor_divide(a, b); }
  Tensor operator()(const Tensor& a, const Scalar& b) const { return torch::floor_divide(a, b); }
  Tensor operator()(const Scalar& a, const Tensor& b) const { return torch::floor_divide(as_tensor(a, b), b); }
};

TorchInstance build_division(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const Division divide{a.is_none("rounding_mode") ? std::nullopt : std::optional(a.text("rounding_mode"))};
  return with_numbers("div", "other", divide).build(layer);
}

plan::Operation add_operation(const Layer& layer, const torch::nn::Module*) {
  const Attributes& a = layer.attributes;
  if (has_number(a, "other") || is_aligned_at_batch(a) || scalar_of(a.at("alpha")).toDouble() != 1)
    return plan::Opaque{};
  return plan::Sum{};
}

TorchInstance build_average(const Layer& layer) {
  const TorchInstance sum = of_tensors(layer, [](const Tensor& a, const Tensor& b) { return a + b; });
  return {nullptr, [sum](const TorchCall& call) {
            return TorchValues{sum.forward(call).at(0) / static_cast<std::int64_t>(call.inputs.size())};
          }};
}

// A choice among tensors and numbers; a condition of numbers is true where they are not 0.
TorchInstance build_where(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const auto number = [&](const char* name) {
    return a.is_none(name) ? std::nullopt : std::optional(scalar_of(a.at(name)));
  };
  return function_of_all([self = number("self"), other = number("other")](const TorchValues& inputs) {
    const Tensor condition = inputs.at(0).to(torch::kBool);
    if (self && other) return torch::where(condition, *self, *other);
    if (self) return torch::where(condition, *self, inputs.at(1));
    if (other) return torch::where(condition, inputs.at(1), *other);
    return torch::where(condition, inputs.at(1), inputs.at(2));
  });
}

TorchInstance build_masked_fill(const Layer& layer) {
  return function_of_all([value = scalar_of(layer.attributes.at("value"))](const TorchValues& inputs) {
    return torch::masked_fill(inputs.at(0), inputs.at(1).to(torch::kBool), value);
  });
}

TorchInstance build_isclose(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return function_of_all([rtol = a.number("rtol"), atol = a.number("atol"),
                          equal_nan = a.boolean("equal_nan")](const TorchValues& inputs) {
    return torch::isclose(inputs.at(0), inputs.at(1), rtol, atol, equal_nan);
  });
}

TorchLayer added(const char* type, Tensor (*function)(const Tensor&, const Tensor&, const Tensor&, const Scalar&)) {
  return {
      type, [function](const Layer& layer) {
        return function_of_all([function, value = scalar_of(layer.attributes.at("value"))](const TorchValues& inputs) {
          return function(inputs.at(0), inputs.at(1), inputs.at(2), value);
        });
      }};
}

TorchInstance build_lerp(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const auto weight = a.is_none("weight") ? std::nullopt : std::optional(scalar_of(a.at("weight")));
  return function_of_all([weight](const TorchValues& inputs) {
    return weight ? torch::lerp(inputs.at(0), inputs.at(1), *weight)
                  : torch::lerp(inputs.at(0), inputs.at(1), inputs.at(2));
  });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      {"add",
       scaled("add", [](const Tensor& a, const auto& b, const Scalar& alpha) { return torch::add(a, b, alpha); }).build,
       add_operation},
      scaled("sub", [](const Tensor& a, const auto& b, const Scalar& alpha) { return torch::sub(a, b, alpha); }),
      scaled("rsub", [](const Tensor& a, const auto& b, const Scalar& alpha) { return torch::rsub(a, b, alpha); }),
      with_numbers("mul", "other", [](const Tensor& a, const auto& b) { return torch::mul(a, b); }),
      {"div", build_division},
      with_numbers("floor_divide", "other", FloorDivision{}),
      with_numbers(
          "remainder", "other",
          [](const auto& a, const auto& b) -> decltype(torch::remainder(a, b)) { return torch::remainder(a, b); }),
      with_numbers("fmod", "other", [](const Tensor& a, const auto& b) { return torch::fmod(a, b); }),
      with_numbers("pow", "exponent",
                   [](const auto& a, const auto& b) -> decltype(torch::pow(a, b)) { return torch::pow(a, b); }),
      tensors("maximum", [](const Tensor& a, const Tensor& b) { return torch::maximum(a, b); }),
      tensors("minimum", [](const Tensor& a, const Tensor& b) { return torch::minimum(a, b); }),
      tensors("fmax", [](const Tensor& a, const Tensor& b) { return torch::fmax(a, b); }),
      tensors("fmin", [](const Tensor& a, const Tensor& b) { return torch::fmin(a, b); }),
      {"Average", build_average},
      tensors("atan2", [](const Tensor& a, const Tensor& b) { return torch::atan2(a, b); }),
      tensors("hypot", [](const Tensor& a, const Tensor& b) { return torch::hypot(a, b); }),
      tensors("logaddexp", [](const Tensor& a, const Tensor& b) { return torch::logaddexp(a, b); }),
      with_numbers("eq", "other", [](const Tensor& a, const auto& b) { return torch::eq(a, b); }),
      with_numbers("ne", "other", [](const Tensor& a, const auto& b) { return torch::ne(a, b); }),
      with_numbers("lt", "other", [](const Tensor& a, const auto& b) { return torch::lt(a, b); }),
      with_numbers("le", "other", [](const Tensor& a, const auto& b) { return torch::le(a, b); }),
      with_numbers("gt", "other", [](const Tensor& a, const auto& b) { return torch::gt(a, b); }),
      with_numbers("ge", "other", [](const Tensor& a, const auto& b) { return torch::ge(a, b); }),
      tensors("logical_and", [](const Tensor& a, const Tensor& b) { return torch::logical_and(a, b); }),
      tensors("logical_or", [](const Tensor& a, const Tensor& b) { return torch::logical_or(a, b); }),
      tensors("logical_xor", [](const Tensor& a, const Tensor& b) { return torch::logical_xor(a, b); }),
      with_numbers("bitwise_and", "other", [](const Tensor& a, const auto& b) { return torch::bitwise_and(a, b); }),
      with_numbers("bitwise_or", "other", [](const Tensor& a, const auto& b) { return torch::bitwise_or(a, b); }),
      with_numbers("bitwise_xor", "other", [](const Tensor& a, const auto& b) { return torch::bitwise_xor(a, b); }),
      {"where", build_where},
      {"masked_fill", build_masked_fill},
      tensors("logaddexp2", [](const Tensor& a, const Tensor& b) { return torch::logaddexp2(a, b); }),
      tensors("heaviside", [](const Tensor& a, const Tensor& b) { return torch::heaviside(a, b); }),
      {"isclose", build_isclose},
      added("addcmul", torch::addcmul),
      added("addcdiv", torch::addcdiv),
      {"lerp", build_lerp},
  };
}

}  // namespace h5bridge::merge
