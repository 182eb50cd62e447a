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

/// What a layer of cells says besides them: rows, what is carried, and the call.
KerasMapping sequence_mapping(std::string type, std::string class_name);

/// Whether `cell`, an RNN's, is of this kind; several have to be alike.
bool is_cell_of(const Kind& kind, const Json& cell);
/// Whether it is several, maybe of number one.
bool is_stack(const Json& cell);
/// Takes the attributes out of `cell`, or of stacked ones that are alike. What it says besides is returned.
Json take_cells(const Kind& kind, const Json& cell, Attributes& attributes);
/// The opposite. `kept` is null where the layer did not come from an RNN.
Json whole_cells(const Kind& kind, const Attributes& attributes, const Json& kept);

/// The same of stacked cells that differ, each of which is a layer. `input_size` is that of the first.
std::vector<Layer> take_different_cells(const Json& stack, std::int64_t input_size);
Json whole_stack(const std::vector<Layer>& cells, const Json& kept);
/// What is kept of the stack itself.
Json kept_of_stack(const Json& stack);

}  // namespace h5bridge::recurrent
