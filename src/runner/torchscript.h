// The graph of a TorchScript archive, by the library that links LibTorch.
#pragma once

#include <string>

#include "facets/aten/script.h"

namespace h5bridge {

/// What LibTorch loads of the archive, its methods and functions as data, in evaluation mode. Code of the archive's may
/// run while it is loaded: for files that are trusted. Throws SystemFailure if the program was built without LibTorch,
/// MalformedFile for what LibTorch cannot load, Unsupported for objects of classes that are no modules.
aten::ScriptGraph script_graph(const std::string& path);

}  // namespace h5bridge
