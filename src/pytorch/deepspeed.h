// Folders of DeepSpeed's save_checkpoint with ZeRO: a file a rank, which has its part of the parameters in float32, all
// in a row (deepspeed/utils/zero_to_fp32.py), and the optimizer's slots likewise.
#pragma once

#include <string>

#include "pytorch/content.h"

namespace h5bridge {

/// Whether a folder is one, or its file "latest" names one within it.
bool is_deepspeed_checkpoint(const std::string& folder);

struct DeepspeedContent {
  TorchContent content;
  std::string optimizer_left_out;  // why the optimizer is not in it
};

/// The state_dict, parameters in float32 and whole, of any ZeRO stage, and the optimizer's, which names its parameters:
/// {"model_state_dict", "optimizer_state_dict"}; without an optimizer, the state_dict alone. No tensor is read. Throws
/// MalformedFile where the ranks' parts do not make the parameters, and Unsupported for tensors that are cut over ranks
/// of another kind (tensor parallelism), and frozen ones in pieces.
DeepspeedContent open_deepspeed_checkpoint(const std::string& folder);

}  // namespace h5bridge
