// The way back to Keras 2: what is written for Keras 3.15, in the form that tf.keras of TensorFlow 2 loads. It has the
// keys of Keras 2.0, and a later one only where it says something else than its absence.
#pragma once

#include <string>
#include <vector>

#include "files/keras_file.h"

namespace h5bridge {

/// Brings configuration, names of variables, optimizer and version of `file`, a .h5 as Keras 3 has it, into the form of
/// Keras 2. Gives notes: the least TensorFlow that loads it where that is not 2.0, and what was left out. Throws
/// Unsupported that names all layers and settings that no Keras 2 has.
std::vector<std::string> into_keras_2(KerasFile& file);

}  // namespace h5bridge
