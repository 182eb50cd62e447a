// A tensor's elements as a sequence of blocks, so that memory stays bounded while weights are on their way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "h5bridge/tensor.h"

namespace h5bridge {

/// Calls `use(std::span<const std::byte>)` with the packed row-major bytes of `tensor`, in order, in blocks of whole
/// elements and at most 4 MiB. A tensor that is not contiguous is packed in memory as a whole.
template <typename Use>
void for_each_block(const Tensor& tensor, Use&& use) {
  constexpr std::uint64_t kBlock = std::uint64_t{4} << 20;
  const Tensor packed = tensor.is_contiguous() ? tensor : tensor.contiguous();
  const std::uint64_t begin = static_cast<std::uint64_t>(packed.offset()) * size_of(packed.dtype());
  const std::uint64_t size = packed.byte_count();
  std::vector<std::byte> block(std::min(kBlock, size));
  for (std::uint64_t at = 0; at < size; at += block.size()) {
    block.resize(std::min(kBlock, size - at));
    packed.source()->read_at(begin + at, block);
    use(std::span<const std::byte>(block));
  }
}

}  // namespace h5bridge
