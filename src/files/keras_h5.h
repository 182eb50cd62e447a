// Keras's HDF5 files as a container, which knows nothing of layers: configurations, and lists of variables by layer.
//
//   /                     attributes keras_version, backend, model_config, training_config (JSON)
//   /model_weights        attributes layer_names, backend, keras_version
//       <layer>/          attribute weight_names: the paths of its variables, in the order in which they load
//           <path>        a data set for each
//       top_level_model_weights/
//   /optimizer_weights/   attribute weight_names, data sets as above
//   /h5bridge             ours, ignored by Keras: attribute metadata (JSON); tensors/0, tensors/1, ... with attribute
//   name
//
// A file that only holds weights has the contents of model_weights at its root. Lists of names that are too large for
// an attribute are split: layer_names0, layer_names1, ...
#pragma once

#include <string>

#include "files/keras_file.h"
#include "h5bridge/byte_source.h"

namespace h5bridge {

/// Reads what `path` holds, be it as above or Keras 3's file of weights alone (files/keras_objects.h); tensors stay in
/// the file until they are used. Throws SystemFailure if the file cannot be read, MalformedFile if it is no HDF5 file,
/// none of Keras's or unsafe, Unsupported for variables that are no numbers. Messages name the place in the file, not
/// the file.
KerasFile read_keras_h5(const std::string& path);
/// Likewise of a file all of whose bytes `file` has.
KerasFile read_keras_h5(const ByteSourcePtr& file);

/// Writes `file` to `path` as Keras 3 would, one tensor at a time. Throws Unsupported for what Keras could not load:
/// variables of bfloat16 or float8, names that are no HDF5 paths, are longer than an attribute or occur twice;
/// SystemFailure if writing fails, and then leaves an incomplete file.
void write_keras_h5(KerasFile file, const std::string& path);

}  // namespace h5bridge
