// Tensors from the calls that torch pickles them as.
#pragma once

#include <functional>
#include <string>

#include "files/pickle.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// Finds a storage by the key in a persistent id, and by the size of its numbers, as TorchContent::open_storage does.
using FindStorage = std::function<ByteSourcePtr(const std::string& key, std::size_t number_size)>;

/// The tensor that a pickled `_rebuild_tensor_v2(...)` or its like makes. Throws MalformedFile for arguments that make
/// no tensor, Unsupported for what is no plain dense tensor.
Tensor rebuild_tensor(const pickle::Value& value, const FindStorage& storage);

/// Whether a pickled parameter is trained; one that does not say is.
bool requires_grad(const pickle::Value& parameter);

}  // namespace h5bridge
