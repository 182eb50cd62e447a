// The sizes of multi-head attention's projections: what its facets share.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge::multihead_attention {

/// One projection of an input: `outputs` rows of a matrix of `inputs` columns.
struct Projection {
  std::string tensor;  // "q_proj_weight"; that of in_proj_weight where all are packed in one
  std::string keras;   // what Keras calls it: "query"
  std::int64_t inputs;
  std::int64_t outputs;  // of all heads
  std::int64_t heads;
};

struct Heads {
  std::int64_t count;
  std::int64_t key_value_count;     // of keys and values, each for as many queries' in a row
  std::int64_t key_dim, value_dim;  // of each
  std::int64_t output_dim;
  bool is_packed;  // as PyTorch's module is where all inputs and projections have one size
  std::vector<Projection> projections;

  /// Of each projection, its rows.
  std::vector<std::int64_t> rows() const;
};

Heads heads_of(const Attributes& attributes);

/// What Keras's layer is given or takes by itself, and PyTorch's module has not.
inline constexpr const char* kQueryMask = "query_mask";
inline constexpr const char* kValueMask = "value_mask";
inline constexpr const char* kKeyMask = "key_mask";
inline constexpr const char* kAttentionMask = "attention_mask";
/// What PyTorch's module is given, and means the opposite.
inline constexpr const char* kPaddingMask = "key_padding_mask";
inline constexpr const char* kMask = "attn_mask";

}  // namespace h5bridge::multihead_attention
