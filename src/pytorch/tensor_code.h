// How torch.save pickles a tensor.
#pragma once

#include <string_view>

#include "files/pickle_writer.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// Emits the call that makes a contiguous tensor on the CPU, over all of the storage of that key.
void put_tensor(pickle::Writer& code, DType dtype, const Shape& shape, std::string_view storage_key,
                bool requires_grad = false);

}  // namespace h5bridge
