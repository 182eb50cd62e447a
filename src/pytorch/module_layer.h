// A layer from a pickled module of torch.nn.
#pragma once

#include "h5bridge/architecture.h"
#include "pytorch/file.h"

namespace h5bridge {

/// The layer that a pickled module of torch.nn is: its type is that of the class's name, and its attributes are the
/// module's own of the same names. What a version of PyTorch did not have yet is at the type's default, or as
/// module_layer.cpp's table says of that version. Throws Unsupported, naming class and reason, for a class that is no
/// layer type, for hooks, which are code, and for settings that the type does not have.
Layer layer_of_module(const TorchFile& file, const pickle::Value& module, const std::string& name);

}  // namespace h5bridge
