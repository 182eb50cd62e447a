#include "facets/aten/row.h"

namespace h5bridge::weight_normalization {

std::vector<aten::Row> aten_rows() { return {aten::plain({"_weight_norm", "_weight_norm_interface"}, "_weight_norm")}; }

}  // namespace h5bridge::weight_normalization
