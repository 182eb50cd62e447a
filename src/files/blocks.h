// A tensor's elements as a sequence of parts, so that memory stays bounded while weights are on their way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "files/unpacked_source.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// How many bytes of a tensor are packed at once.
inline constexpr std::uint64_t kBlockSize = std::uint64_t{8} << 20;

/// Calls `use(const Tensor&)` with parts of `tensor`, in row-major order, of at most `largest` bytes each.
template <typename Use>
void for_each_part(const Tensor& tensor, std::uint64_t largest, Use&& use) {
  const auto divisible = std::ranges::find_if(tensor.shape(), [](std::int64_t extent) { return extent > 1; });
  if (tensor.byte_count() <= largest || divisible == tensor.shape().end()) return use(tensor);
  const std::int64_t extent = *divisible;
  const std::uint64_t row = tensor.byte_count() / static_cast<std::uint64_t>(extent);
  const auto rows = static_cast<std::int64_t>(std::max<std::uint64_t>(1, largest / row));
  for (std::int64_t start = 0; start < extent; start += rows)
    for_each_part(tensor.slice(divisible - tensor.shape().begin(), start, std::min(extent, start + rows)), largest,
                  use);
}

/// The same elements, whose parts can be read one by one at no more cost than all: packed in memory as a whole where
/// they are neither in order nor stored as they are.
inline Tensor readable_in_parts(const Tensor& tensor) {
  const bool is_unpacked = dynamic_cast<const UnpackedSource*>(tensor.source().get()) != nullptr;
  return is_unpacked && !tensor.is_contiguous() ? tensor.contiguous() : tensor;
}

/// Calls `use(std::span<const std::byte>)` with the packed row-major bytes of `tensor`, in order, in blocks of whole
/// elements and at most kBlockSize.
template <typename Use>
void for_each_block(const Tensor& tensor, Use&& use) {
  std::vector<std::byte> block;
  for_each_part(readable_in_parts(tensor), kBlockSize, [&](const Tensor& part) {
    block.resize(part.byte_count());
    part.read(block);
    use(std::span<const std::byte>(block));
  });
}

}  // namespace h5bridge
