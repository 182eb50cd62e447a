// The layers of a Keras model that is being planned.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "keras/tree.h"

namespace h5bridge {

/// An input of the model of which Keras says that.
KerasLayer input_layer(const std::string& name, const std::string& keras_name, const Input& input,
                       const SymbolicShape& shape, const KerasModelOrigin& model);

/// Makes the layers that are another's activation a part of that one's configuration, where nothing stands against it.
/// A tensor of theirs is then that layer's, which `result` says.
std::vector<std::pair<std::string, std::string>> fuse_activations(std::vector<KerasLayer>& layers,
                                                                  const std::vector<KerasTensor>& outputs);

}  // namespace h5bridge
