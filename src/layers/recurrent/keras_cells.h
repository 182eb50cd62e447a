// Keras's cells, of which its RNN makes a layer: one, or several that are stacked (StackedRNNCells).
#pragma once

#include "facets/keras/mapping.h"
#include "layers/recurrent/kinds.h"

namespace h5bridge::recurrent {

inline constexpr const char* kRnn = "RNN";

/// The rows of what a cell computes, which its layer's configuration has as well.
std::vector<Correspondence> cell_rows(const Kind& kind);
/// What a cell's configuration carries besides.
Json::Object cell_carried(const Kind& kind);

/// Whether `cell`, an RNN's, is of this kind: the first one of several tells.
bool is_cell_of(const Kind& kind, const Json& cell);
/// Whether it is several, maybe of number one.
bool is_stack(const Json& cell);
/// Takes the attributes out of `cell`. What it says besides is returned. Throws Unsupported where stacked cells differ.
Json take_cells(const Kind& kind, const Json& cell, Attributes& attributes);
/// The opposite. `kept` is null where the layer did not come from an RNN.
Json whole_cells(const Kind& kind, const Attributes& attributes, const Json& kept);

}  // namespace h5bridge::recurrent
