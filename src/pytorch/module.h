// Whole modules, as torch.save(model) pickles them: an object whose state has its parameters, buffers and submodules.
// Its class is a name, whose code is never run; what it holds is read as data.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "files/pickle.h"

namespace h5bridge {

/// Whether a value is a pickled nn.Module.
bool is_module(const pickle::Value& value);

/// "torch.nn.modules.linear.Linear", "lenet.LeNet": the class of a module.
std::string module_class(const pickle::Value& module);

/// What the module's state_dict() would be: names and tensors, not yet read, of each module its parameters, its
/// persistent buffers and then its submodules (torch/nn/modules/module.py, Module.state_dict). Throws MalformedFile for
/// modules that are nested too deep, in a circle say.
std::vector<std::pair<std::string, pickle::Ref>> state_of_module(const pickle::Value& module);

}  // namespace h5bridge
