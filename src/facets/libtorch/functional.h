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
  return {nullptr, [row, function = std::move(function)](const TorchCall& call) {
            Operands operands = call.inputs;
            operands.resize(row.tensors + row.operands.size());
            for (std::size_t i = 0; i < row.operands.size(); ++i)
              if (const torch::Tensor named = call.input(row.operands[i]); named.defined())
                operands[row.tensors + i] = named;
            return TorchValues{function(operands)};
          }};
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
