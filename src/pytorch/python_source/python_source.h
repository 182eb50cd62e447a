// PyTorch source: an nn.Module class as people write it, whose state_dict has the names of the model's weights.
#pragma once

#include <string>

#include "h5bridge/model.h"

namespace h5bridge {

/// The text of a Python file that needs PyTorch alone. The network's class is the last one in it and takes no
/// arguments; its inputs and outputs are those of `model`, whose weights it loads strictly. Throws UsageError without
/// an architecture, and Unsupported naming all layers that have no Python source.
std::string python_source(const Model& model);

}  // namespace h5bridge
