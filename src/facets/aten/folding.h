// Constants that a graph computes (positions, masks, tables of distances) as constants that it has.
#pragma once

#include "facets/aten/graph.h"

namespace h5bridge::aten {

/// Carries out what takes nothing but the graph's constants and numbers, in order, also in place: notes which
/// operations these are (`folded`) and what they give (`elements`). What somebody takes before it is changed in place
/// stays what it is.
void fold_constants(Graph& graph);

}  // namespace h5bridge::aten
