// An optimizer's settings, which may stand in `hyperparameters` and in each group.
#pragma once

#include "h5bridge/model.h"

namespace h5bridge {

/// Gives every group what it leaves to `hyperparameters`. Throws UsageError naming a setting of which the first group
/// says something else than they do, or a group that lists no "params".
void settle_settings(Optimizer& optimizer);

}  // namespace h5bridge
