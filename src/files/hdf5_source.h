// HDF5 files out of any byte source: a part of an archive, memory.
#pragma once

#include "files/hdf5_library.h"
#include "h5bridge/byte_source.h"

namespace h5bridge::hdf5 {

/// Opens the HDF5 file that `source` holds, for reading, with a virtual file driver of our own. The source lives as
/// long as anything of the file is held. What reading it throws comes out of the call of the library that needed the
/// bytes. Call it with Library held.
Handle open_source(const ByteSourcePtr& source);

}  // namespace h5bridge::hdf5
