// Whole modules, as torch.save(model) pickles them: an object whose state has its parameters, buffers and submodules.
// Its class is a name, whose code is never run; what it holds is read as data.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "files/pickle.h"

namespace h5bridge {

/// Whether a value is a pickled nn.Module.
bool is_module(const pickle::Value& value);

/// "torch.nn.modules.linear.Linear", "lenet.LeNet": the class of a module.
std::string module_class(const pickle::Value& module);

/// "Linear" of a module of PyTorch's own; empty for any other class.
std::string torch_nn_class(const pickle::Value& module);

using NamedRefs = std::vector<std::pair<std::string, pickle::Ref>>;

/// What the module's state_dict() would be: names and tensors, not yet read, of each module its parameters, its
/// persistent buffers and then its submodules (torch/nn/modules/module.py, Module.state_dict). Throws MalformedFile for
/// modules that are nested too deep, in a circle say.
NamedRefs state_of_module(const pickle::Value& module);

/// The module itself, as "", and all that are within it, as named_modules(remove_duplicate=False) gives them. Throws as
/// state_of_module does.
NamedRefs modules_in(const pickle::Value& module);

/// The module's own submodules, in order.
NamedRefs children_of(const pickle::Value& module);
/// The module's own parameters and buffers that are there, and are in its state_dict.
NamedRefs own_parameters(const pickle::Value& module);
NamedRefs own_buffers(const pickle::Value& module);

/// An attribute of the module; nullptr if it has none of that name.
pickle::Ref attribute_of(const pickle::Value& module, std::string_view name);
/// Whether it lists a parameter of that name, if only as one that it goes without.
bool declares_parameter(const pickle::Value& module, std::string_view name);

/// Whether a parameter or buffer is one of a lazy module, which gets its shape with the first input.
bool is_uninitialised(const pickle::Value& tensor);

/// Its settings: all attributes but those that every module has, and private ones.
NamedRefs settings_of(const pickle::Value& module);

}  // namespace h5bridge
