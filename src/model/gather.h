// Reading strided views: what is behind Tensor::read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "h5bridge/byte_source.h"
#include "model/strided_copy.h"

namespace h5bridge {

/// The axes of a view that is written row-major: those of extent 1 dropped, neighbours that are one run merged.
std::vector<Axis> merged_axes(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides);

/// Reads the elements of a view, of `element_size` bytes each, into `into`, which is as large as they are; at least
/// one. All of them lie in `source`. Takes no more than 16 MiB of memory, and reads each byte about once.
void gather(const ByteSource& source, std::vector<Axis> axes, std::int64_t offset, std::size_t element_size,
            std::span<std::byte> into);

}  // namespace h5bridge
