// NumPy's array files: .npy holds one array, .npz is a zip archive of them.
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "files/zip.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

bool looks_like_npy(const ByteSource& file);
/// Whether an archive has .npy entries and nothing else.
bool is_npz(const ZipReader& archive);

/// The array in a .npy file of version 1, 2 or 3; one in Fortran order is a view with its strides. Throws
/// MalformedFile, and Unsupported for element types that DType has no word for (strings, objects, big-endian numbers).
Tensor read_npy(const ByteSourcePtr& file);
/// Writes version 1.0, in C order. Throws Unsupported for types that NumPy does not have, SystemFailure if writing
/// fails.
void write_npy(const Tensor& tensor, std::ostream& out);

/// The arrays of a .npz file by the names they were saved under.
std::vector<NamedTensor> read_npz(const ByteSourcePtr& file);
/// Writes them stored, as numpy.savez does.
void write_npz(std::span<const NamedTensor> tensors, std::ostream& out);

}  // namespace h5bridge
