// Whether the state of an optimizer fits the parameters that it belongs to.
#pragma once

#include "h5bridge/model.h"

namespace h5bridge {

/// Throws MalformedFile naming a slot that has another shape than its parameter, or is no single number where that
/// counts steps. Slots that no optimizer of torch.optim has, and parameters without a name, are passed by.
void check_slots(const Model& model);

}  // namespace h5bridge
