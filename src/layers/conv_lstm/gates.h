// What the facets of this family share.
#pragma once

#include <cstdint>

namespace h5bridge::conv_lstm {

/// Blocks of rows in the weights: input, forget, new values, output, as in LSTM.
inline constexpr std::int64_t kGates = 4;

}  // namespace h5bridge::conv_lstm
