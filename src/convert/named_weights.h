// Weights of a Keras file whose architecture cannot be read: by the file's own names.
#pragma once

#include <string>
#include <vector>

#include "convert/formats/format.h"

namespace h5bridge {

/// The weights of `file` by the file's own names ("dense/kernel"; "layers/dense/vars/0" of Keras 3's own formats), as
/// it lays them out, if its layers are of classes that h5bridge does not know; nullopt for any other file. `why` is
/// what was said of the architecture. What else the file holds is left out, and noted.
std::optional<Model> named_weights(const KerasFile& file, const std::string& why);

}  // namespace h5bridge
