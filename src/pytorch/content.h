// The two forms of what torch.save writes, behind one face: a pickle, and the storages that it refers to.
#pragma once

#include <functional>
#include <string>

#include "files/pickle.h"
#include "files/zip.h"
#include "h5bridge/byte_source.h"

namespace h5bridge {

struct TorchContent {
  pickle::Document document;
  /// The bytes of the storage of that key, in little-endian order; `number_size` is that of the numbers in it (a
  /// complex element is two). Throws MalformedFile if there is none.
  std::function<ByteSourcePtr(const std::string& key, std::size_t number_size)> open_storage;
};

/// A zip archive, as of PyTorch 1.6: data.pkl, and an entry a storage.
TorchContent open_torch_zip(ZipReaderPtr archive);

/// Before that: five pickles in a row (a magic number, a version, what machine wrote it, the object, the storages'
/// keys), then each storage's length in elements and its bytes (torch/serialization.py, _legacy_load). The
/// bytes are in little-endian order, whatever machine wrote them (torch/csrc/serialization.cpp). Throws Unsupported for
/// storages whose elements' size is not known.
TorchContent open_legacy_torch(const ByteSourcePtr& file);

}  // namespace h5bridge
