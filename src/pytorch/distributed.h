// Folders of torch.distributed.checkpoint: a pickle ".metadata" that says which part of which tensor is where in the
// files beside it (torch/distributed/checkpoint/metadata.py, filesystem.py).
#pragma once

#include <string>

#include "pytorch/content.h"

namespace h5bridge {

bool is_distributed_checkpoint(const std::string& folder);

/// The checkpoint as one: nested as it was before it was flattened, tensors whole. No tensor's file is opened before it
/// is read. Throws MalformedFile where parts do not make a tensor, or are not in this folder, and Unsupported for what
/// was compressed on its way.
TorchContent open_distributed_checkpoint(const std::string& folder);

}  // namespace h5bridge
