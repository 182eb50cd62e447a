// Keras's RNN of stacked cells that are no one module of PyTorch's: of several kinds, sizes or settings. The cells are
// layers that it holds, and steps through time itself.
#pragma once

#include <string>
#include <vector>

#include "facets/keras/mapping.h"
#include "facets/spec/layer_type.h"
#include "layers/recurrent/kinds.h"

namespace h5bridge::recurrent {

inline constexpr const char* kStackedCells = "StackedRNNCells";

/// A single step: "LSTMCell".
LayerType cell_type(const Kind& kind);
LayerType stacked_cells_type();
KerasMapping stacked_cells_mapping();

/// The name of a cell's tensors in the layer that holds it: "cells.0.".
std::string cell_prefix(std::size_t index);
/// How many states all of its cells have.
std::size_t states_of_cells(const Attributes& attributes);

}  // namespace h5bridge::recurrent
