// What LibTorch computes by oneDNN in one go: operators of its own, which it has for compilers. They are looked up by
// their schema, and where this LibTorch has none of that schema, or oneDNN refuses, plain operators do the same.
#pragma once

#include "facets/libtorch/operation.h"

namespace h5bridge::plan {

/// Whether there is what the functions below call.
bool has_onednn();

/// Whether `activation` can be joined to a convolution and to a linear layer.
bool joins(const Activation& activation);

/// A convolution's weight of two or three spatial axes in the order that oneDNN prefers for an input of these sizes.
/// Other sizes are right, too. Undefined where oneDNN refuses it.
torch::Tensor packed_weight(const Convolution& convolution, const std::vector<std::int64_t>& input_sizes);

/// The convolution with a packed weight, and the activation, if any.
torch::Tensor convolve(const torch::Tensor& input, const torch::Tensor& weight, const Convolution& convolution,
                       const Activation* activation);

/// The same and `addend`, of the output's sizes, followed by a ReLU or nothing. With `into_addend` its memory, which
/// nobody else wants, becomes the output's.
torch::Tensor convolve_and_add(const torch::Tensor& input, const torch::Tensor& weight, const Convolution& convolution,
                               torch::Tensor addend, bool relu, bool into_addend);

}  // namespace h5bridge::plan
