// Rows of Python's operators on tensors and numbers.
#pragma once

#include "facets/torch_source/signature.h"

namespace h5bridge {

/// All that an operator takes, one after the other: tensors, and numbers that stand in their place. Where the
/// attribute `aligned_at_batch` says so, tensors with fewer axes get some behind their batch.
std::vector<Python> operands_in_turn(const SourceCall& call);
/// "a + b + c".
Python infix(const std::vector<Python>& operands, const std::string& sign, Binding binding);

TorchSource operator_of(std::string type, std::string sign, Binding binding);
/// A sum whose second operand may have a factor, the attribute `alpha`.
TorchSource scaled_operator(std::string type, std::string sign);
/// Where a number is divided, it is a tensor of the result's type: PyTorch would multiply it with the reciprocal.
TorchSource division(std::string type, std::string sign);
TorchSource power();
/// A function of two, of more one after the other.
TorchSource folded(std::string type);

}  // namespace h5bridge
