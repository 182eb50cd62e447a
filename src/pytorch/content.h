// The two forms of what torch.save writes, behind one face: a pickle, and the storages that it refers to.
#pragma once

#include <functional>
#include <string>

#include "files/pickle.h"
#include "h5bridge/byte_source.h"

namespace h5bridge {

struct TorchContent {
  pickle::Document document;
  /// The bytes of the storage of that key. Throws MalformedFile if there is none.
  std::function<ByteSourcePtr(const std::string& key)> open_storage;
};

/// A zip archive, as of PyTorch 1.6: data.pkl, and an entry a storage.
TorchContent open_torch_zip(const ByteSourcePtr& file);

/// Before that: five pickles in a row (a magic number, a version, what machine wrote it, the object, the storages'
/// keys), then each storage's length in elements and its bytes (torch/serialization.py, _legacy_load). Throws
/// Unsupported for files of big-endian machines and for storages whose element type is not known.
TorchContent open_legacy_torch(const ByteSourcePtr& file);

}  // namespace h5bridge
