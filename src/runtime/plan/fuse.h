// What makes fewer nodes of a graph, which compute the same but for rounding.
#pragma once

#include "runtime/plan/graph.h"

namespace h5bridge::plan {

/// Fuses what can be: identities vanish, padding becomes the convolution's own, a normalisation by running statistics
/// goes into the weights before it, and sums and activations to what makes their input.
void fuse(Graph& graph);

}  // namespace h5bridge::plan
