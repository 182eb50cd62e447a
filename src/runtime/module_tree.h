// Submodules under their dotted names.
#pragma once

#include "runtime/weights.h"

namespace h5bridge {

/// A layer's module that is not in the tree, for a module there has one of its name within (a part of a whole
/// TransformerEncoder, which the model calls by itself as well). It is in the mode of that one.
struct StandIn {
  TorchModulePtr module;
  TorchModulePtr in_tree;
};

/// Registers the layers' modules in `root` so that "layer1.0.conv1" is the child conv1 of the child 0 of the child
/// layer1. Modules that only hold others are plain torch::nn::Modules; of a layer that is the model itself `root` holds
/// the tensors. Throws MalformedFile for a name that cannot be one.
std::vector<StandIn> plant(torch::nn::Module& root, const Instances& instances);

}  // namespace h5bridge
