// Reads the exported program of torch.export as a graph.
#pragma once

#include "facets/aten/graph.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// What torch/_export/serde/schema.py describes, of its version 8. Throws Unsupported, naming it, for another version
/// and for inputs that are no tensors; MalformedFile for what is not of that form.
aten::Graph graph_of_program(const Json& program);

}  // namespace h5bridge
