// Batch normalisation's counts of batches, for which Keras has no variable.
#pragma once

#include "h5bridge/model.h"

namespace h5bridge {

/// Notes which of them a model that was read from Keras lacks, and what that comes to.
void note_lost_counters(Model& model);

}  // namespace h5bridge
