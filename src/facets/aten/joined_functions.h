// Functions of PyTorch's that torch.export takes apart, put together again.
#pragma once

#include "facets/aten/graph.h"

namespace h5bridge::aten {

/// Makes one operation of each chain that PyTorch's function is: aten.normalize of what F.normalize computes. The
/// others of the chain stay, for nobody.
void join_functions(Graph& graph);

}  // namespace h5bridge::aten
