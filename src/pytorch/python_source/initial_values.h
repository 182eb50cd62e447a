// What a tensor that a module holds itself is made with, before its values are loaded.
#pragma once

#include "pytorch/python_source/calls.h"
#include "pytorch/python_source/classes.h"

namespace h5bridge::torch_source {

/// Code of a buffer: how its values are computed where a short expression has all their bits ("torch.arange(12)"),
/// zeros otherwise. `dtype` is written behind its sizes: ", dtype=torch.float16".
Code buffer_value(const OwnTensor& tensor, const Tensor* values, const std::string& dtype);

/// Code of a parameter that can be trained from there: a factor is one, what is added to each channel zero, all else
/// small and random.
Code parameter_value(const ModuleTree& tree, const Calls& calls, const SourceModule& module, const std::string& dtype);

}  // namespace h5bridge::torch_source
