// Whether a batch may be split: whether what a model gives of one row hangs on that row alone.
#pragma once

#include "h5bridge/architecture.h"

namespace h5bridge {

/// Whether every layer says that it computes each row by itself (LayerType::keeps_rows_apart), and the rows, of which
/// there are `batch`, stay along the first axis. False where a layer says nothing: then rows may be mixed, or not.
bool keeps_rows_apart(const Architecture& architecture, const Size& batch);

}  // namespace h5bridge
