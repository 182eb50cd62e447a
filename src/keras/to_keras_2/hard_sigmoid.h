// hard_sigmoid on the way back to Keras 2, where it is 0.2 x + 0.5: that of Keras 3 is Keras 2's of x / 1.2
// (keras/dialects/hard_sigmoid.h has the way there).
#pragma once

#include <string>
#include <vector>

#include "files/keras_file.h"

namespace h5bridge {

/// Takes the factors out of `file`, a .h5 as Keras 3 has it, that a file of Keras 2 got when it was read, its weights
/// as they were before where they still stand for them, and puts the opposite factor before all other hard sigmoids.
/// Gives notes. Throws Unsupported naming a layer that cannot say it.
std::vector<std::string> hard_sigmoids_of_keras_2(KerasFile& file);

}  // namespace h5bridge
