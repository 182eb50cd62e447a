// What the Keras facets of plain and transposed convolutions share.
#pragma once

#include <string>
#include <vector>

#include "facets/keras/mapping.h"

namespace h5bridge {

/// The rows of a convolution, in the order of Keras's configurations, behind `own`, those of the class.
std::vector<Correspondence> kernel_rows(std::size_t axes, std::vector<Correspondence> own);
/// The rules of a weight, which `steps` make Keras's kernel, and of the bias, if there is one.
WeightRules kernel_weights(const Attributes& attributes, std::vector<WeightStep> steps);

/// What a convolution's windows run over, and the word by which Keras pads it: "valid" where no word says it and it is
/// padded before.
struct PaddedInput {
  KerasEmitter::Handle input;
  std::string word;
};
PaddedInput emit_window_input(const Attributes& attributes, KerasEmitter& emitter, KerasEmitter::Handle input);
/// `input` with all of its padding.
KerasEmitter::Handle emit_window_padding(const Attributes& attributes, KerasEmitter& emitter,
                                         KerasEmitter::Handle input);
/// The kernel (k..., in/groups, out) of a convolution in groups as that of one without: (k..., in, out), with zeros
/// between the groups. keras.ops.conv takes no other.
KerasEmitter::Handle emit_ungrouped(KerasEmitter& emitter, KerasEmitter::Handle kernel, std::int64_t groups);
/// A value that is PyTorch's weight (a, b, k...), as Keras's kernel (k..., b, a).
KerasEmitter::Handle emit_kernel(KerasEmitter& emitter, KerasEmitter::Handle weight);

}  // namespace h5bridge
