#include "facets/aten/row.h"

namespace h5bridge::unpooling {

// Their window is in no argument of ATen's.
std::vector<aten::Row> aten_rows() { return {}; }

}  // namespace h5bridge::unpooling
