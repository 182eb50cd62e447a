// Products of a few rows and a small matrix, where what LibTorch does around a product takes longer than the product.
#pragma once

#include <cstdint>
#include <vector>

namespace h5bridge::plan {

class SmallProduct {
 public:
  /// Whether so many rows times (in, out) are better computed here than by LibTorch.
  static bool is_for(std::int64_t rows, std::int64_t in, std::int64_t out);

  /// `weight` is (out, in), `bias` (out) or nullptr; both are copied.
  SmallProduct(const float* weight, const float* bias, std::int64_t in, std::int64_t out);

  /// result (rows, out) = input (rows, in) times the weight, and the bias; with `relu`, no less than 0. Both are
  /// contiguous.
  void compute(const float* input, float* result, std::int64_t rows, bool relu) const;

 private:
  std::int64_t in_;
  std::int64_t out_;
  std::int64_t blocks_;
  std::vector<float> storage_;  // blocks of outputs, each (in, kBlock), behind the biases; with room to align them
  float* packed_;
};

}  // namespace h5bridge::plan
