#include "facets/aten/row.h"
#include "h5bridge/error.h"

namespace h5bridge::embedding {
namespace {

void as_embedding(aten::Call& call) {
  const Shape weight = call.weight_shape("weight");
  if (weight.size() != 2) throw Unsupported("its table has shape " + to_string(weight) + ", expected 2 axes");
  call.type = "Embedding";
  call.attributes.set("num_embeddings", weight[0]);
  call.attributes.set("embedding_dim", weight[1]);
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {{.operators = {"embedding"},
           .type = "embedding",
           .nothing_at = {{"padding_idx", -1}},
           .parameters = {"weight"},
           .as_module = as_embedding}};
}

}  // namespace h5bridge::embedding
