#include "facets/aten/row.h"

namespace h5bridge::augmentation {

// Keras's own: PyTorch has no operators for them.
std::vector<aten::Row> aten_rows() { return {}; }

}  // namespace h5bridge::augmentation
