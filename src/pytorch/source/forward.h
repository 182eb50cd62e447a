// The forward of a class: statements with names of variables that a reader follows.
#pragma once

#include <string>
#include <vector>

#include "pytorch/source/calls.h"
#include "pytorch/source/helpers.h"

namespace h5bridge::torch_source {

struct Forward {
  std::vector<std::string> parameters;  // behind self
  std::vector<std::string> statements;  // each in one line; the last one returns
};

/// A size that no tensor at hand in a module's forward has: the module cannot be a class of its own.
struct SizeOutOfReach {
  const SourceModule* module;
  std::string size;
};

/// Throws SizeOutOfReach.
Forward forward_of(const ModuleTree& tree, const Calls& calls, const SourceModule& module, Helpers& helpers);

}  // namespace h5bridge::torch_source
