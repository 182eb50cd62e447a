// What we leave in a Keras file beside what Keras reads (KerasFile::extra): whatever Keras has no place for. Keras
// ignores it, and drops it when it saves the model again. Written by keras_export.cpp and read by keras_import.cpp.
//
//   "version"
//   "architecture", "data_format": the model as it came from PyTorch, and the format in which Keras has it
//   "configuration": the digest of Keras's configuration that was written beside that (convert/configuration_note.h)
//   "names": the state_dict's names, in order;  "tied": groups of names that share their bytes
//   "carried": names of tensors that the architecture does not have
//   "digests": by the same names; `validate` tells what a later writer has changed
//   "torch": metadata of the PyTorch file
//   "reference": {"by", "dtype", "inputs", "outputs", "layers"}: what the model was seen to give (convert/reference.h)
//   "training": {"epoch", "loss", "optimizer": {"kind", "hyperparameters", "groups", "parameters_with_state",
//   "digests"}}
//
// Its tensors are residuals by their state_dict names, "optimizer/<parameter>/<slot>" for state that Keras has no
// variables for (of frozen parameters) or holds rounded: while the digest of the Keras variable stands, the exact
// tensor is the one that is used, and "unscaled/<layer>/<variable>" for Keras 2's variables that were multiplied
// (keras/dialects/hard_sigmoid.h): they hold as long as multiplying them gives what the file has; and the
// reference's "reference/inputs/0", "reference/outputs/0", ...
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "h5bridge/tensor.h"

namespace h5bridge {

inline const std::string kOptimizerFolder = "optimizer/";
inline const std::string kUnscaledFolder = "unscaled/";
inline const std::string kReferenceFolder = "reference/";

inline const NamedTensor* find_tensor(const std::vector<NamedTensor>& tensors, const std::string& name) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

}  // namespace h5bridge
