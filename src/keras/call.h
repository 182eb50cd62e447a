// The calls of Keras's layers as the registry's rows take them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "facets/keras/mapping.h"
#include "h5bridge/json.h"
#include "keras/tree.h"

namespace h5bridge {

/// Whether Keras hands the mask of its input to the call by itself. Keras 3 does so beside no other tensor: not to an
/// LSTM that is given a state.
bool takes_implied_mask(const KerasCall& call);
/// Whether Keras 3 would do so for these arguments.
bool hands_mask_to_keras_3(const KerasCall& call);

/// A call as a mapping sees it.
struct BoundCall {
  std::vector<History> inputs;
  std::vector<std::pair<std::string, History>> named;  // those that the type takes by name
  Json::Object constants;
};

/// Assigns the arguments to the parameters of the mapping's call. Throws Unsupported for one that it has no place for:
/// tensors keep their places in a list, so that one beside None is refused but for lists that the mapping knows.
BoundCall bound(const KerasCall& call, const KerasMapping& mapping);

}  // namespace h5bridge
