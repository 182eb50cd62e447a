// Constants among the arguments of a Keras call that are tensors to the layer that is called.
#pragma once

#include <functional>

#include "h5bridge/architecture.h"
#include "keras/tree.h"

namespace h5bridge {

/// Adds a layer that makes a constant, and gives what stands for its output.
using MakeTensor = std::function<History(Layer)>;

/// Arrays become values that a layer makes, but for lists that are settings of the type of the layer. Where
/// such a list stands in place of a tensor, one that is a table is that tensor; where only a tensor can stand, every
/// list is.
void make_arrays(const KerasLayer& layer, KerasCall& call, const MakeTensor& tensor_of);
/// Numbers and truth values as tensors, but for `training`.
KerasCall numbers_as_tensors(KerasCall call, const MakeTensor& tensor_of);

}  // namespace h5bridge
