// The architecture that an exported graph is.
#pragma once

#include "facets/aten/graph.h"
#include "files/pt2_archive.h"
#include "h5bridge/architecture.h"

namespace h5bridge {

/// Layers and calls by the rows of the families: what a module of torch.nn does is a layer under the module's path,
/// with the names of its tensors; anything else a function. Throws Unsupported naming all operators, with the paths of
/// the modules that call them, that no row can make a layer of.
Architecture architecture_of_graph(const aten::Graph& graph, const Pt2Model& model);

/// Carries out what takes constants alone.
void fold_constants(aten::Graph& graph, const Pt2Model& model);

}  // namespace h5bridge
