#include "facets/aten/row.h"

namespace h5bridge::keras_attention {

// Keras's own.
std::vector<aten::Row> aten_rows() { return {}; }

}  // namespace h5bridge::keras_attention
