// Layers that are the model itself: a module of torch.nn of which nothing else holds the tensors.
#pragma once

#include <string_view>

namespace h5bridge {

/// Whether a layer is the model itself, so that the names of its tensors in the state_dict have no layer's before them:
/// "weight_ih_l0" of ".lstm". No module within another one can be called so, for no part of its path is empty.
inline bool is_model_itself(std::string_view layer) { return layer.starts_with('.'); }

}  // namespace h5bridge
