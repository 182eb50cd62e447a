#include "facets/aten/row.h"

namespace h5bridge::products {

std::vector<aten::Row> aten_rows() {
  std::vector<aten::Row> rows =
      aten::plain_rows({"bmm", "einsum", "cross", "linalg_cross", "addmm", "addmv", "addr", "baddbmm", "addbmm"});
  rows.push_back(aten::plain({"matmul", "mm", "mv", "dot", "vdot", "linalg_matmul"}, "matmul"));
  rows.push_back(aten::plain({"outer", "ger"}, "outer"));
  return rows;
}

}  // namespace h5bridge::products
