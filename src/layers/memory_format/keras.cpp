#include "facets/keras/mapping.h"

namespace h5bridge::memory_format {

// No layer: what is written is its input.
std::vector<KerasMapping> keras_mappings() { return {}; }

}  // namespace h5bridge::memory_format
