#include "facets/aten/row.h"

namespace h5bridge::scattering {

std::vector<aten::Row> aten_rows() { return aten::plain_rows({"one_hot", "scatter", "scatter_add"}); }

}  // namespace h5bridge::scattering
