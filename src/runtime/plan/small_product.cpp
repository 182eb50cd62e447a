#include "runtime/plan/small_product.h"

#include <algorithm>
#include <array>
#include <cstring>

// Compiled for several kinds of processor, of which the loader takes the one that is there.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define H5BRIDGE_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define H5BRIDGE_CLONES
#endif

namespace h5bridge::plan {
namespace {

constexpr std::int64_t kLane = 16;
constexpr std::int64_t kLanes = 4;
constexpr std::int64_t kBlock = kLane * kLanes;  // outputs that are computed side by side
constexpr std::int64_t kMostRows = 4;
constexpr std::int64_t kMostElements = 1 << 18;  // of the weight: a megabyte, which stays in a processor's own cache

using Lane = float __attribute__((vector_size(kLane * sizeof(float))));

// One row and one block. Two sums for each output, since one addition has to wait for the one before.
H5BRIDGE_CLONES void multiply(const float* input, const float* packed, const float* bias, float* result,
                              std::int64_t in, bool relu) {
  const auto* weight = reinterpret_cast<const Lane*>(packed);
  const auto* biases = reinterpret_cast<const Lane*>(bias);
  Lane a0 = biases[0], a1 = biases[1], a2 = biases[2], a3 = biases[3];
  Lane b0{}, b1{}, b2{}, b3{};
  std::int64_t i = 0;
  for (; i + 1 < in; i += 2, weight += 2 * kLanes) {
    const float x = input[i], y = input[i + 1];
    a0 += weight[0] * x;
    a1 += weight[1] * x;
    a2 += weight[2] * x;
    a3 += weight[3] * x;
    b0 += weight[4] * y;
    b1 += weight[5] * y;
    b2 += weight[6] * y;
    b3 += weight[7] * y;
  }
  if (i < in) {
    const float x = input[i];
    a0 += weight[0] * x;
    a1 += weight[1] * x;
    a2 += weight[2] * x;
    a3 += weight[3] * x;
  }
  std::array<Lane, kLanes> sums{a0 + b0, a1 + b1, a2 + b2, a3 + b3};
  if (relu)
    for (Lane& sum : sums) sum = sum < 0 ? Lane{} : sum;  // what is no number stays none
  std::memcpy(result, sums.data(), sizeof sums);
}

}  // namespace

bool SmallProduct::is_for(std::int64_t rows, std::int64_t in, std::int64_t out) {
  return rows <= kMostRows && in * out <= kMostElements;
}

SmallProduct::SmallProduct(const float* weight, const float* bias, std::int64_t in, std::int64_t out)
    : in_(in), out_(out), blocks_((out + kBlock - 1) / kBlock), storage_(blocks_ * kBlock * (in + 1) + kLane) {
  const auto misplaced = reinterpret_cast<std::uintptr_t>(storage_.data()) % sizeof(Lane);
  packed_ = storage_.data() + (misplaced == 0 ? 0 : (sizeof(Lane) - misplaced) / sizeof(float));
  if (bias) std::copy_n(bias, out, packed_);
  float* matrix = packed_ + blocks_ * kBlock;
  for (std::int64_t o = 0; o < out; ++o)
    for (std::int64_t i = 0; i < in; ++i) matrix[(o / kBlock * in + i) * kBlock + o % kBlock] = weight[o * in + i];
}

void SmallProduct::compute(const float* input, float* result, std::int64_t rows, bool relu) const {
  const float* matrix = packed_ + blocks_ * kBlock;
  std::array<float, kBlock> last;
  for (std::int64_t block = 0; block < blocks_; ++block)
    for (std::int64_t row = 0; row < rows; ++row) {
      float* to = result + row * out_ + block * kBlock;
      const std::int64_t wanted = std::min(kBlock, out_ - block * kBlock);
      multiply(input + row * in_, matrix + block * in_ * kBlock, packed_ + block * kBlock,
               wanted == kBlock ? to : last.data(), in_, relu);
      if (wanted < kBlock) std::copy_n(last.data(), wanted, to);
    }
}

}  // namespace h5bridge::plan
