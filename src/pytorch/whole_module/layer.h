// A layer from a pickled module of torch.nn.
#pragma once

#include <string>

#include "h5bridge/architecture.h"
#include "pytorch/file.h"

namespace h5bridge {

/// The layer that a pickled module of torch.nn is: its type is that of the class's name, and its attributes are the
/// module's own of the same names, and those of `more`. What a version of PyTorch did not have yet is at the type's
/// default, or as layer.cpp's table says of that version. Throws Unsupported, naming class and reason, for a
/// class that is no layer type, for code of the module's own, and for settings that the type does not have.
Layer layer_of_module(const TorchFile& file, const pickle::Value& module, const std::string& name,
                      const Json::Object& more);

/// "module "0.conv" (torch.nn.modules.conv.Conv2d)", for messages.
std::string describe_module(const pickle::Value& module, const std::string& path);

/// Throws Unsupported for hooks, which are called around forward, and for a forward that was put on the module itself.
void refuse_own_code(const pickle::Value& module, const std::string& path);

}  // namespace h5bridge
