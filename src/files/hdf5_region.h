// HDF5 files that are written into a larger file: an archive.
#pragma once

#include <string>

#include "files/hdf5_library.h"

namespace h5bridge::hdf5 {

/// Makes an HDF5 file of the bytes of the file at `path` from `offset` on, which are cut off first. Closing it leaves
/// the file as long as the HDF5 file needs. `access`: a list of properties. What writing throws comes out of the call
/// of the library that wrote. Call it with Library held.
Handle create_region(const std::string& path, std::uint64_t offset, hid_t access);

}  // namespace h5bridge::hdf5
