// The graph of a TorchScript archive as an architecture.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "facets/aten/script.h"
#include "h5bridge/model.h"

namespace h5bridge {

/// Gives a model of the archive's tensors the architecture that its forward is: its calls are followed as they run in
/// evaluation, with tensors of which the types alone are known; numbers and conditions that follow from sizes are
/// computed. An archive says nothing of its inputs: they are what its first weights are made for, with open sizes but
/// where an operator asks for a number; `sizes` binds open ones. `shapes`: examples of the inputs' shapes by name, as
/// many axes as which they have, and whose numbers they have where open sizes do not do. Tensors that a frozen module
/// has as constants become the model's, named after the operators that take them. Throws Unsupported naming the
/// operator, and the module that calls it, of what is no layer, and for a condition that depends on values.
void add_architecture_of_script(Model& model, const aten::ScriptGraph& graph,
                                const std::map<std::string, std::int64_t>& sizes,
                                const std::map<std::string, Shape>& shapes);

}  // namespace h5bridge
