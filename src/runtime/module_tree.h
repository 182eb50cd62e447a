// Submodules under their dotted names.
#pragma once

#include "runtime/weights.h"

namespace h5bridge {

/// Registers the layers' modules in `root` so that "layer1.0.conv1" is the child conv1 of the child 0 of the child
/// layer1. Modules that only hold others are plain torch::nn::Modules. Throws MalformedFile for a name that cannot be
/// one.
void plant(torch::nn::Module& root, const Instances& instances);

}  // namespace h5bridge
