// What the families of convolutions share: kernels over spatial axes, between channels in groups.
#pragma once

#include <vector>

#include "facets/spec/layer_type.h"
#include "facets/spec/weight_rule.h"
#include "facets/spec/window.h"

namespace h5bridge {

/// Throws MalformedFile unless in_channels, out_channels, groups, kernel_size, stride and dilation make a kernel.
void check_kernel(const Attributes& attributes);
/// Throws MalformedFile unless the input has the attribute in_channels' channels.
void check_input_channels(const Attributes& attributes, const SymbolicShape& input);
/// Sets in_channels, which Keras takes from its input. Throws MalformedFile where that is open.
void derive_in_channels(Attributes& attributes, const SymbolicShape& input, std::size_t axes);
/// The weight of shape (outer, inner/groups, kernel_size...), of the attributes with these names, and the bias, if
/// there is one.
std::vector<ParameterSpec> kernel_parameters(const Attributes& attributes, const std::string& outer,
                                             const std::string& inner);
/// The sizes of an input that is the weight of a convolution over `axes` axes. Throws MalformedFile unless it has these
/// axes.
Shape kernel_operand(const SymbolicShape& shape, std::size_t axes);
/// PyTorch's (a, b, k...) as Keras's (k..., b, a): the axes of a permute.
std::vector<std::int64_t> keras_kernel_axes(std::size_t axes);
/// PyTorch's weight (channels*multiplier, 1, k...) as Keras's depthwise kernel (k..., channels, multiplier).
std::vector<WeightStep> depthwise_kernel_steps(std::int64_t channels, std::int64_t multiplier,
                                               const std::vector<std::int64_t>& kernel_size);
/// Keras refuses strides and dilation in one layer (but not in the depthwise ones).
bool has_strides(const Attributes& attributes);
bool has_dilation(const Attributes& attributes);

/// What makes the output of a transposed convolution of its full one, which has (size - 1)*stride + extent elements
/// along each axis: the elements taken away at its ends; negative ones are added, and hold the bias alone. PyTorch's
/// padding p and output_padding o are {p, p - o}. "same" and "valid" are Keras's; its output_padding None gives
/// size*stride elements for "same", and (size - 1)*stride + max(extent, stride) for "valid". Source:
/// keras/src/backend/common/backend_utils.py, _convert_conv_transpose_padding_args_from_keras_to_jax.
std::vector<Margins> crops_of(const Attributes& attributes);

/// For samples of Keras classes: initialisers, regularisers and constraints of `weights`, none at its default.
Json::Object sample_settings(const std::vector<std::string>& weights);
/// For samples: an input whose spatial sizes are 9, 10, 11, ...: distinct and odd.
Shape sample_image(std::int64_t batch, std::int64_t channels, std::size_t axes);
/// The same with its channels last.
Shape sample_keras_image(std::int64_t batch, std::int64_t channels, std::size_t axes);

}  // namespace h5bridge
