// What the LibTorch facets of functions with parameters as inputs share.
#pragma once

#include <algorithm>
#include <utility>

#include "facets/libtorch/layer.h"
#include "facets/spec/functional.h"

namespace h5bridge {

/// The tensors of a call in the order of the function's arguments: x, and its operands, undefined where they are left
/// out.
using Operands = TorchValues;

inline TorchInstance function_of_operands(const Functional& row,
                                          std::function<torch::Tensor(const Operands&)> function) {
  const auto call = [row, function = std::move(function)](TorchValues operands, const NamedTensors& named) {
    operands.resize(row.tensors + row.operands.size());
    for (const auto& [name, tensor] : named)
      operands.at(row.tensors +
                  static_cast<std::size_t>(std::ranges::find(row.operands, name) - row.operands.begin())) = tensor;
    return TorchValues{function(operands)};
  };
  return {.module = nullptr,
          .forward = [call](const TorchValues& inputs, const Symbols&) { return call(inputs, {}); },
          .forward_named = [call](const TorchValues& inputs, const NamedTensors& named,
                                  const Symbols&) { return call(inputs, named); }};
}

/// The same for a function that wants x with its channels on axis 1, as the attribute data_format says.
inline TorchInstance function_of_operands(const Functional& row, const Attributes& attributes,
                                          std::function<torch::Tensor(const Operands&)> function) {
  return function_of_operands(row, [attributes, function = std::move(function)](const Operands& operands) {
    return in_data_format(attributes, [&](const torch::Tensor& input) {
      Operands moved = operands;
      moved[0] = input;
      return function(moved);
    })(operands[0]);
  });
}

/// None for an operand that is left out.
inline std::optional<torch::Tensor> given(const torch::Tensor& operand) {
  return operand.defined() ? std::optional(operand) : std::nullopt;
}

}  // namespace h5bridge
