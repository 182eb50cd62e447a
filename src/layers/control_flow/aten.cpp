#include "facets/aten/row.h"

namespace h5bridge::control_flow {

std::vector<aten::Row> aten_rows() { return aten::plain_rows({"cond"}); }

}  // namespace h5bridge::control_flow
