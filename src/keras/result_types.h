// The element types of what Keras's layers and operations give.
#pragma once

#include <functional>
#include <vector>

#include "facets/keras/keras_emitter.h"
#include "model/tensor_type.h"

namespace h5bridge {

/// Those of the call's outputs, by the row that reads its class; of one that no row reads, that of all tensors among
/// its arguments together. A layer's floating-point numbers are float32 here, whatever its policy says.
std::vector<DType> dtypes_of_results(const KerasEmitter::Call& call,
                                     const std::function<const TensorType&(KerasEmitter::Handle)>& type_of);

/// Whether Keras notes those with its tensors: of operations, and of layers that hand on what they are given
/// (keras/src/layers/reshaping/, core/identity.py). Of others it notes their policy's, whatever they give.
bool is_stated(const KerasEmitter::Call& call);

}  // namespace h5bridge
