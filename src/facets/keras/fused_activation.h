// The activation that a layer of Keras applies to its own output. Some work along an axis: always the last one there,
// so that where the layout changes, the axis is noted with the layer.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/spec/layer_type.h"

namespace h5bridge {

/// Whether the activation of this name in keras.activations works along an axis (softmax).
bool works_along_axis(const std::string& activation);

/// Whether a layer of the Keras that is written for can have the activation of this name as its own; nullptr: any.
using TakesActivation = bool (*)(const std::string& name);

/// What `mapping` writes for a layer; with an activation along another axis than the last, or one that `takes_within`
/// is false for, as a layer of its own.
KerasEmitter::Results write_with_activation(const KerasMapping& mapping, const Layer& layer, KerasEmitter& emitter,
                                            TakesActivation takes_within = nullptr);

}  // namespace h5bridge
