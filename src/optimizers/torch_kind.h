// What kind an optimizer of PyTorch's is: its state_dict names no class.
#pragma once

#include <string>

#include "h5bridge/model.h"

namespace h5bridge {

/// The kind ("Adam") whose settings and slots these are, as the folders of this room declare them (TorchKeys); also of
/// one that has no counterpart in Keras. "unknown" where it may be several that compute differently, or none.
std::string told_by_keys(const Optimizer& optimizer);

}  // namespace h5bridge
