// Functions of torch.nn.functional that are modules with their parameters as inputs: F.conv2d(x, weight, bias) is a
// Conv2d whose weight and bias are values. A function is a row beside its module, whose layer type says the rest.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "facets/spec/layer_type.h"

namespace h5bridge {

struct Functional {
  std::string name;                    // PyTorch's: "conv2d"
  std::vector<std::string> arguments;  // the module's attributes that are arguments of the function, too
  /// Sets the module's other attributes, which the shapes of the call's inputs tell: in_channels.
  std::function<void(Attributes& settings, const std::vector<SymbolicShape>& inputs)> derive;
  std::vector<std::string> operands = {"weight", "bias"};  // the inputs behind x, in the function's order
  std::size_t required = 1;             // how many of these there must be; the others may be given by name
  std::size_t tensors = 1;              // the inputs before these: x
  std::vector<AttributeSpec> own = {};  // in place of the module's attributes of these names
};

/// What a call of the function takes.
std::vector<Operand> operands_of(const Functional& row);

/// The layer type of a function. Its samples are those of the module's that the function can say.
LayerType function_of(const LayerType& module, const Functional& row);

/// The attributes by which the module does what the function does for inputs of these shapes.
Attributes module_settings(const LayerType& module, const Functional& row, const Attributes& attributes,
                           const std::vector<SymbolicShape>& inputs);

/// A layout rule for values that are weights: they stay as PyTorch has them, whatever `rule` makes of the first input.
LayoutRule beside_operands(LayoutRule rule);

/// The sizes of an input that is a weight. Throws Unsupported for open ones.
Shape operand_shape(const SymbolicShape& shape);

/// The channels of x. Throws Unsupported where they are open.
std::int64_t channels_of(const Attributes& attributes, const SymbolicShape& input);

}  // namespace h5bridge
