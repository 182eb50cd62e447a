// What the forwards of torch.nn's Transformer modules call, which PyTorch itself puts together of other modules
// (torch/nn/modules/transformer.py).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "h5bridge/architecture.h"
#include "pytorch/whole_module/graph.h"

namespace h5bridge {

struct TransformerModule {
  std::string_view name;              // of the class: "TransformerEncoderLayer"
  std::vector<std::string> operands;  // that its forward has to be given; masks are left out
  /// Its calls, and what comes out of the last of them. Throws Unsupported for an activation that is code.
  Value (*call)(ModuleGraph& graph, const pickle::Value& module, const std::string& path,
                const std::vector<Value>& given);
};

/// nullptr for any other class.
const TransformerModule* transformer_named(std::string_view class_name);

}  // namespace h5bridge
