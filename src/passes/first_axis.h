// Whether the first axis of a model's inputs is the batch, as Keras's predict() and `--batch-size` take it to be.
#pragma once

#include <optional>
#include <string>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// The size that the first axis of the first input leaves open; nullopt if none does.
std::optional<Size> open_batch(const Architecture& architecture);

/// The first layer for which that axis is time (batch_first=False), as messages name it; nullopt if there is none.
std::optional<std::string> layer_with_time_first(const Architecture& architecture);

}  // namespace h5bridge
