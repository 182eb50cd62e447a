// Arrays that a user hands to a model, and those that it gives back: NumPy's files on one side, named tensors on the
// other.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/tensor.h"
#include "passes/presentation.h"

namespace h5bridge {

/// Reads what `arguments` name, each a .npy file, "NAME=file.npy" or an .npz file with an array per name; recognised by
/// content. A plain .npy has an empty name. Throws MalformedFile for files that are neither, SystemFailure.
std::vector<NamedTensor> read_arrays(const std::vector<std::string>& arguments);

/// Gives arrays that have no name of their own (empty, or NumPy's arr_0, arr_1, ... where no port is called so) those
/// of `ports` in order; `what` ("input") is for messages. Throws UsageError for a name that no port has, a name that
/// comes twice, and more arrays than ports; with `others`, those that no port takes go there instead.
std::vector<NamedTensor> named_for(std::vector<NamedTensor> arrays, const std::vector<Presentation::Port>& ports,
                                   const std::string& what, std::vector<NamedTensor>* others = nullptr);

/// Throws UsageError unless `path` ends in .npz, or in .npy and there is one array only.
void check_array_path(const std::string& path, std::size_t count);
/// Writes arrays to a .npy or .npz file; bfloat16, which NumPy lacks, as float32. The path holds the old file or the
/// whole new one. Throws SystemFailure.
void write_arrays(const std::vector<NamedTensor>& arrays, const std::string& path);

}  // namespace h5bridge
