// Compile configurations and optimizer state of any Keras as 3.15 would hold them.
#pragma once

#include <string>
#include <vector>

#include "files/keras_h5.h"
#include "keras/dialects/version.h"

namespace h5bridge {

/// Losses by their names, as a .h5 file needs them: Keras 3 finds "mse" in none, as it is that of a metric, too.
void spell_out_losses(Json& losses);

/// Mends the training configuration and the optimizer's variables of `file`, whose layers are as the file has them.
/// What Keras 3 has nothing like is left out, which the notes say, a line each: nobody needs it to use the weights.
std::vector<std::string> training_in_keras_3(KerasFile& file, const KerasVersion& version);

}  // namespace h5bridge
