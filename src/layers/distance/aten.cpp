#include "facets/aten/row.h"

namespace h5bridge::distance {

std::vector<aten::Row> aten_rows() {
  return {aten::plain({"cosine_similarity"}, "CosineSimilarity"),
          aten::plain({"pairwise_distance"}, "PairwiseDistance"),
          {.operators = {"cdist"}, .type = "cdist", .ignored = {"compute_mode"}}};
}

}  // namespace h5bridge::distance
