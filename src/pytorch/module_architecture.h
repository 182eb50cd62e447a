// The architecture that a pickled nn.Sequential has: the one container whose forward is known without its code.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "h5bridge/architecture.h"
#include "pytorch/file.h"

namespace h5bridge {

/// Sequentials within each other, and in them modules of torch.nn that take one value. Names, aliases, ties, frozen
/// parameters and the order of the state_dict are as tools/h5bridge_export.py writes them. `sizes` binds open sizes of
/// the input. Throws Unsupported, naming the module and its class, for what has a forward of its own.
Architecture architecture_of_module(const TorchFile& file, const pickle::Value& module,
                                    const std::map<std::string, std::int64_t>& sizes);

}  // namespace h5bridge
