// Margins around a tensor at run time, where its size is known.
#pragma once

#include <torch/torch.h>

#include <string_view>
#include <vector>

#include "facets/spec/window.h"

namespace h5bridge {

/// An input with channels on axis 1, its spatial axes lengthened by `margins`. `mode` and `value` are those of
/// torch.nn.functional.pad.
torch::Tensor pad(const torch::Tensor& input, const std::vector<Margins>& margins, std::string_view mode = "constant",
                  double value = 0);

/// Keras's and TensorFlow's `same`: an input with channels on axis 1, its spatial axes lengthened by same_margins.
torch::Tensor pad_same(const torch::Tensor& input, const std::vector<Window>& windows,
                       std::string_view mode = "constant", double value = 0);

}  // namespace h5bridge
