// nn.MultiheadAttention as TorchScript.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "pytorch/torchscript_code/library.h"

namespace h5bridge::torch_script {

/// Its forward; where no weights are wanted, these are an empty tensor (source: torch/nn/modules/activation.py).
std::string multi_head_attention(const Arguments& arguments);
/// The functions that it calls, by their names in "F." (source: torch/nn/functional.py).
const std::map<std::string_view, const char*>& attention_functions();

}  // namespace h5bridge::torch_script
