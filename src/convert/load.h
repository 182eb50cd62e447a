// Reading the files that together make one model.
#pragma once

#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// load() without the check that weights and architecture fit: for `validate`, which reports what does not.
Model load_unchecked(const std::vector<std::string>& sources, const LoadOptions& options);

}  // namespace h5bridge
