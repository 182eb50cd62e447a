// Weights of any Keras as 3.15 would hold them.
#pragma once

#include <vector>

#include "files/keras_h5.h"
#include "keras/dialects/configuration.h"

namespace h5bridge {

/// Mends the variables of `layers`, which a file with this configuration and these statements holds: arrays of Keras 0
/// and 1, kernels that Theano applied flipped, and the gates of recurrent layers whose hard_sigmoid was the old one
/// (hard_sigmoid.h). Gives back, as "unscaled/<layer>/<variable>", the variables as they were before they were
/// multiplied. Throws MalformedFile for variables that do not fit their layer.
std::vector<NamedTensor> weights_in_keras_3(std::vector<KerasLayerWeights>& layers,
                                            const KerasConfiguration& configuration, const std::string& stated_version,
                                            const std::string& backend);

/// All variables, or those of `inner`, a layer of the model that the layer is, by its name in their paths. Throws
/// Unsupported where these are less than `least`.
std::vector<KerasVariable*> variables_within(KerasLayerWeights& layer, const std::string& inner, std::size_t least);

/// Of the layer's variables, those that the gates are: the inner layer's by its name in their paths. Throws Unsupported
/// where these do not tell them.
std::vector<KerasVariable*> variables_of_gates(KerasLayerWeights& layer, const GateFactors& factors);

/// A variable of a recurrent layer whose gates' blocks that see an old hard_sigmoid are multiplied.
Tensor with_gates_multiplied(const KerasVariable& variable, const GateFactors& factors, double factor);

}  // namespace h5bridge
