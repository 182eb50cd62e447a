// The weights of a Keras model by layers: those of models within it, too, which a .h5 file keeps together.
#pragma once

#include <vector>

#include "facets/keras/keras_plan.h"
#include "files/keras_h5.h"
#include "keras/tree.h"

namespace h5bridge {

/// `layers` with each inner model's variables under the layers that `bound` has in it ("encoder/dense"): as their paths
/// say, or where those name other layers, by their place, as Keras itself loads them. Throws MalformedFile for an inner
/// model with another number of variables, or of other names.
std::vector<KerasLayerWeights> weights_by_layer(const std::vector<KerasLayerWeights>& layers,
                                                const KerasBindings& bound);

/// The variables of `file` by the layers that `bound` has, be they kept by objects or by layers: these are `layers`,
/// the file's by the architecture's names. `model` is what they are layers of.
std::vector<KerasLayerWeights> weights_by_layer(const KerasFile& file, std::vector<KerasLayerWeights> layers,
                                                const KerasBindings& bound, const KerasModel& model);

}  // namespace h5bridge
