// Numbers of big-endian machines.
#pragma once

#include <cstddef>

#include "h5bridge/byte_source.h"

namespace h5bridge {

/// The bytes with each run of `size`, counted from the first, turned around; a rest at the end stays as it is. `size`
/// is at least 1, and 1 gives `bytes` itself.
ByteSourcePtr with_reversed_numbers(ByteSourcePtr bytes, std::size_t size);

}  // namespace h5bridge
