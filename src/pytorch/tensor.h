// Tensors from the calls that torch pickles them as.
#pragma once

#include <functional>
#include <string>

#include "files/pickle.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// The tensor that a pickled `_rebuild_tensor_v2(...)` or its like makes. `storage` finds bytes by the key in a
/// persistent id. Throws MalformedFile for arguments that make no tensor, Unsupported for what is no plain dense
/// tensor.
Tensor rebuild_tensor(const pickle::Value& value, const std::function<ByteSourcePtr(const std::string& key)>& storage);

}  // namespace h5bridge
