#include "facets/aten/row.h"

namespace h5bridge::cropping {

// Keras's own.
std::vector<aten::Row> aten_rows() { return {}; }

}  // namespace h5bridge::cropping
