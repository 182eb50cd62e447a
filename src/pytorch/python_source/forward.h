// The forward of a class: statements with names of variables that a reader follows.
#pragma once

#include <string>
#include <vector>

#include "pytorch/python_source/calls.h"
#include "pytorch/python_source/helpers.h"

namespace h5bridge::torch_source {

/// What TorchScript, which derives no class from another one, calls the forward of the layer that the network itself
/// is.
constexpr const char* kForwardOfBase = "forward_of_layer";

struct Forward {
  std::vector<std::string> parameters;  // behind self
  std::vector<std::string> statements;  // each in one line, within its block by spaces; the last one returns
};

/// A size that no tensor at hand in a module's forward has: the module cannot be a class of its own.
struct SizeOutOfReach {
  const SourceModule* module;
  std::string size;
};

/// Throws SizeOutOfReach.
Forward forward_of(const ModuleTree& tree, const Calls& calls, const SourceModule& module, Helpers& helpers);

}  // namespace h5bridge::torch_source
