// The type "index_by_tensors": elements of several axes by tensors of their numbers, as x[:, i, j] has it.
#pragma once

#include "facets/keras/mapping.h"
#include "facets/spec/layer_type.h"

namespace h5bridge::indexing {

/// The axis of the output at which those of the indices stand: in place of the axes that they name, where these are
/// neighbours, and in front of all others where they are not. `axes` are in increasing order.
std::int64_t place_of_indices(const std::vector<std::int64_t>& axes);

LayerType index_by_tensors();
KerasMapping index_by_tensors_in_keras();

/// The axis of Keras's Take. Throws Unsupported for none, by which it takes elements of all axes as if they were one.
Spelling taken_axis();

}  // namespace h5bridge::indexing
