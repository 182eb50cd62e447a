// What a model was compiled with, and its optimizer, as Keras 2 has them.
#pragma once

#include "files/keras_file.h"
#include "keras/to_keras_2/needs.h"

namespace h5bridge {

/// Brings training_config and the optimizer's variables of `file`, whose layers' variables have Keras 2's names by now,
/// into the form of TensorFlow 2.0 to 2.10, which later ones load, too. What does not fit is left out, and noted.
void training_into_keras_2(KerasFile& file, KerasNeeds& needs);

}  // namespace h5bridge
