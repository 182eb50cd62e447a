// How modules are reached in Python: self.layers[0].conv1, getattr(self, "1_conv").
#pragma once

#include <string>

#include "pytorch/python_source/module_tree.h"

namespace h5bridge::torch_source {

/// Whether its parts are called 0, 1, 2, ... in order and are modules all: a list.
bool is_list(const SourceModule& module);
/// Whether its parts are numbered modules, with numbers left out: a dict.
bool is_dict(const SourceModule& module);
/// Whether its parts are parameters called 0, 1, 2, ... in order.
bool is_parameter_list(const SourceModule& module);

/// Code that reads `module` from a method of the class of `from`, which holds it.
std::string path_from(const SourceModule& from, const SourceModule& module, Language language = Language::Python);
/// Code of a child of what `holder` is the code of.
std::string child_of(const std::string& holder, const SourceModule& child, Language language = Language::Python);
/// A statement that makes `value` a child of what `holder` is the code of.
std::string assignment(const std::string& holder, const SourceModule& child, const std::string& value);
/// What stands before and behind the value in such a statement.
std::pair<std::string, std::string> around_assignment(const std::string& holder, const SourceModule& child);

}  // namespace h5bridge::torch_source
