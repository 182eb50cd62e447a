#include "layers/multihead_attention/heads.h"

namespace h5bridge::multihead_attention {

std::vector<std::int64_t> Heads::rows() const {
  std::vector<std::int64_t> result;
  for (const Projection& projection : projections) result.push_back(projection.outputs);
  return result;
}

Heads heads_of(const Attributes& a) {
  const std::int64_t size = a.integer("embed_dim");
  const auto or_else = [&](const char* name, std::int64_t otherwise) {
    return a.is_none(name) ? otherwise : a.integer(name);
  };
  Heads heads{.count = a.integer("num_heads"),
              .key_dim = or_else("key_dim", size / a.integer("num_heads")),
              .value_dim = or_else("value_dim", size / a.integer("num_heads")),
              .output_dim = or_else("output_dim", size),
              .is_packed = false,
              .projections = {}};
  const std::int64_t keys = heads.count * heads.key_dim, values = heads.count * heads.value_dim;
  heads.projections = {{"q_proj_weight", "query", size, keys}, {"k_proj_weight", "key", or_else("kdim", size), keys}};
  if (a.boolean("use_gate")) heads.projections.push_back({"g_proj_weight", "gate", size, values});
  heads.projections.push_back({"v_proj_weight", "value", or_else("vdim", size), values});
  heads.is_packed = !a.boolean("use_gate");
  for (const Projection& projection : heads.projections)
    heads.is_packed = heads.is_packed && projection.inputs == size && projection.outputs == size;
  return heads;
}

}  // namespace h5bridge::multihead_attention
