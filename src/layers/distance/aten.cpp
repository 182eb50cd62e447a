#include "facets/aten/row.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge::distance {

namespace {

// The operator has numbers for words (torch/functional.py, cdist).
void name_mode(aten::Call& call) {
  const Json number = call.take("compute_mode");
  if (number.is_null() || number == Json(0)) return;
  if (number != Json(1) && number != Json(2)) throw Unsupported("its compute_mode is " + quoted(number));
  call.attributes.set("compute_mode", number == Json(1) ? "use_mm_for_euclid_dist" : "donot_use_mm_for_euclid_dist");
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {aten::plain({"cosine_similarity"}, "CosineSimilarity"),
          aten::plain({"pairwise_distance"}, "PairwiseDistance"),
          {.operators = {"cdist"}, .type = "cdist", .adjust = name_mode}};
}

}  // namespace h5bridge::distance
