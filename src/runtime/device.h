// Where a model runs.
#pragma once

#include <torch/torch.h>

#include <string>

namespace h5bridge {

/// "cpu", "cuda" or "cuda:N"; throws UsageError for any other word.
torch::Device parse_device(const std::string& text);

/// Throws SystemFailure if this machine has no such device.
void check_device(torch::Device device);

}  // namespace h5bridge
