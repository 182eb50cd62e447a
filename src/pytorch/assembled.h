// Tensors that several files hold parts of, put together as they are read.
#pragma once

#include <functional>
#include <vector>

#include "h5bridge/byte_source.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// A box of a larger tensor.
struct TensorPart {
  Shape offsets;  // of its first element in the whole
  Shape sizes;
  std::function<ByteSourcePtr()> open;  // its elements in row-major order, packed; called once, when first read
};

/// The elements of a tensor of `shape` in row-major order, from the files that have them: nothing is kept in memory,
/// and no part is opened before it is read. Throws MalformedFile unless each element is in one part, and while reading
/// where a part has another size than it says.
ByteSourcePtr assembled(const Shape& shape, std::size_t element_size, std::vector<TensorPart> parts);

}  // namespace h5bridge
