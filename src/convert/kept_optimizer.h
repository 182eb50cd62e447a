// The optimizer of a run that began in PyTorch, in a file of Keras's.
#pragma once

#include <vector>

#include "convert/tied_state.h"
#include "h5bridge/model.h"

namespace h5bridge {

/// Makes of an optimizer as Keras has it the one that PyTorch had: its settings to the letter, and the state that Keras
/// holds rounded or not at all. `settings` and `extra` are what h5bridge left in the file (keras_extra.h). What PyTorch
/// had as one and is `untied` now stays as Keras has it. Throws MalformedFile for a state that does not fit.
void restore_optimizer(const Json& settings, const std::vector<NamedTensor>& extra, const Ties& untied,
                       Optimizer& optimizer);

}  // namespace h5bridge
