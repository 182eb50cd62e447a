// An architecture that is given beside a Keras file which has one of its own.
#pragma once

#include <string>
#include <vector>

#include "convert/keras_model.h"
#include "passes/network_difference.h"

namespace h5bridge {

/// In what the network of `file`, already in the form of Keras 3 ("here"), and the one given beside it ("there")
/// differ; nothing where the file has weights alone. Throws Unsupported where Keras cannot say the one that is given.
std::vector<NetworkDifference> differences_of_halves(const KerasFile& file, const Architecture& given);

}  // namespace h5bridge
