// The architecture of a pickled module of torch.nn whose forward is known without its code.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "h5bridge/architecture.h"
#include "pytorch/file.h"

namespace h5bridge {

/// Of a single layer, whose inputs have the names of its forward's parameters, of nn.Sequential, of nn.DataParallel
/// around one, and of the Transformer modules, all within each other as far as PyTorch has it. What forward may be left
/// out of is left out. Names, aliases, ties, frozen parameters and the order of the state_dict are as
/// tools/h5bridge_export.py writes them. `sizes` binds open sizes of the inputs. Throws Unsupported, naming the module
/// and its class, for what has a forward of its own.
Architecture architecture_of_module(const TorchFile& file, const pickle::Value& module,
                                    const std::map<std::string, std::int64_t>& sizes);

}  // namespace h5bridge
