// What the elements of a tensor are like, as a page shows it.
#pragma once

#include <cstdint>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// Of the elements that are finite; zeros where there are none. Those of complex numbers are their parts.
struct TensorStatistics {
  std::int64_t elements = 0;
  std::int64_t not_finite = 0;  // NaN and infinities
  std::int64_t zeros = 0;
  double least = 0;
  double most = 0;
  double mean = 0;
  double deviation = 0;                 // the standard deviation
  double norm = 0;                      // the square root of the sum of squares
  std::vector<std::int64_t> histogram;  // how many lie in each of 40 equal parts between least and most
};

/// Reads the tensor in parts, twice. Throws Unsupported for elements that have no conversion to numbers.
TensorStatistics statistics_of(const Tensor& tensor);
Json::Object to_json(const TensorStatistics& statistics);

}  // namespace h5bridge
