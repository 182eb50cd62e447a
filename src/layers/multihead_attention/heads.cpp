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
              .key_value_count = or_else("num_key_value_heads", a.integer("num_heads")),
              .key_dim = or_else("key_dim", size / a.integer("num_heads")),
              .value_dim = or_else("value_dim", size / a.integer("num_heads")),
              .output_dim = or_else("output_dim", size),
              .is_packed = false,
              .projections = {}};
  const auto project = [&](const char* tensor, const char* keras, std::int64_t inputs, std::int64_t of_each,
                           std::int64_t count) {
    heads.projections.push_back({tensor, keras, inputs, of_each * count, count});
  };
  project("q_proj_weight", "query", size, heads.key_dim, heads.count);
  project("k_proj_weight", "key", or_else("kdim", size), heads.key_dim, heads.key_value_count);
  if (a.boolean("use_gate")) project("g_proj_weight", "gate", size, heads.value_dim, heads.count);
  project("v_proj_weight", "value", or_else("vdim", size), heads.value_dim, heads.key_value_count);
  heads.is_packed = !a.boolean("use_gate");
  for (const Projection& projection : heads.projections)
    heads.is_packed = heads.is_packed && projection.inputs == size && projection.outputs == size;
  return heads;
}

}  // namespace h5bridge::multihead_attention
