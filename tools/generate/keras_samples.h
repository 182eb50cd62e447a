// Samples of Keras classes: those that the mappings bring, and those that follow from their types' own.
#pragma once

#include <vector>

#include "facets/keras/mapping.h"

namespace h5bridge {

/// The samples of a mapping. Where it brings none, they are what it writes for those of its type's samples that it says
/// by a single call.
std::vector<KerasSample> samples_of(const KerasMapping& mapping);

}  // namespace h5bridge
