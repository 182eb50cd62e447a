// In which order tf.keras takes a file's weights: by that of the layers of the model that it makes.
#pragma once

#include <vector>

#include "files/keras_file.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// Puts `layers` into the order that a model of this configuration, in the form of Keras 2, has them in. Parts in place
/// of a layer change it. Throws Unsupported naming a model within the model whose layers come in another order than
/// `before`, the same model of Keras 3, has them in.
void order_layers(const Json& model, const Json& before, std::vector<KerasLayerWeights>& layers);

}  // namespace h5bridge
