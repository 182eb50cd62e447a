// The layers of a model in a table, as model.summary() of Keras and torchinfo have them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "h5bridge/architecture.h"

namespace h5bridge::cli {

/// Every call with the shapes of its outputs, what its layer holds and what it computes, then the sums. `trainable`:
/// what a source says of parameters, before what the architecture does. Returns how many elements the layers hold.
/// Throws as infer_types does.
std::int64_t print_summary(const Architecture& architecture, const std::map<std::string, bool>& trainable);

/// "1.5 MB".
std::string bytes_text(std::uint64_t bytes);

}  // namespace h5bridge::cli
