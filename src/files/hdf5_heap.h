// Strings of variable length, read without the HDF5 library: version 1.10 of it believes the lengths and places that a
// file states, and crashes or never returns where they are wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "h5bridge/byte_source.h"

namespace h5bridge::hdf5 {

/// The `count` strings of an HDF5 attribute (its identifier), whose type is text of variable length. Throws
/// MalformedFile, whose message begins with `what`.
std::vector<std::string> variable_texts(std::int64_t attribute, std::uint64_t count, const ByteSource& file,
                                        const std::string& what);

}  // namespace h5bridge::hdf5
