#include "facets/aten/row.h"

namespace h5bridge::patches {

std::vector<aten::Row> aten_rows() { return {aten::plain({"im2col"}, "Unfold"), aten::plain({"col2im"}, "Fold")}; }

}  // namespace h5bridge::patches
