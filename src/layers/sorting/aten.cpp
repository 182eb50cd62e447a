#include "facets/aten/row.h"

namespace h5bridge::sorting {

std::vector<aten::Row> aten_rows() {
  std::vector<aten::Row> rows = aten::plain_rows(
      {"sort", "argsort", "topk", "kthvalue", "median", "nanmedian", "cummax", "cummin", "searchsorted", "bucketize"});
  rows.push_back({.operators = {"msort"}, .type = "sort", .defaults = {{"dim", 0}}});
  return rows;
}

}  // namespace h5bridge::sorting
