// Keras has several spellings of many a setting: axis 3 or -1, a Reshape to (-1, 1) or (15, 1). What is read is brought
// into one form; these keep what the file said, so that it comes back to the letter.
#pragma once

#include <vector>

#include "facets/keras/mapping.h"

namespace h5bridge {

/// Notes in layer.keras.spelling which settings of `config`, which the layer was read from, would be written otherwise.
void keep_spelling(const KerasMapping& mapping, Layer& layer, const Json::Object& config,
                   const std::vector<SymbolicShape>& inputs, const std::vector<SymbolicShape>& outputs);

/// Where the layer's own `trainable` is not what its variables follow, brings layer.keras.trainable to what they do,
/// and notes the other as its spelling.
void keep_trainable(const KerasMapping& mapping, Layer& layer, const Json::Object& config,
                    const std::vector<SymbolicShape>& inputs);

/// Puts what was noted into a configuration that is to be written, if it still means this layer.
void restore_spelling(const KerasMapping& mapping, const Layer& layer, const std::vector<SymbolicShape>& inputs,
                      Json::Object& config);

}  // namespace h5bridge
