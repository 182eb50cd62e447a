// What the kinds of recurrent networks are made of: the one table that the facets of this family share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "facets/spec/layer_type.h"

namespace h5bridge::recurrent {

struct Kind {
  std::string type;                       // PyTorch's class: "LSTM"; a single step is "LSTMCell"
  std::string keras_class;                // Keras's: "LSTM", "SimpleRNN"
  std::string keras_cell;                 // the layer inside, which has the weights: "lstm_cell"
  std::int64_t gates;                     // blocks of rows in weight_ih
  std::vector<std::int64_t> keras_gates;  // the blocks in Keras's order
  std::int64_t states;                    // the hidden state, and LSTM's cell state
};

const std::vector<Kind>& kinds();
/// The kind of a type, which may be that of a single step. Throws std::logic_error for any other type.
const Kind& kind_of(std::string_view type);

/// PyTorch's directions of a module: 1, or 2 where it is bidirectional.
std::int64_t directions(const Attributes& attributes);
/// "_l0", "_l0_reverse", "_l1", ...: what the names of the tensors of one layer and direction end in.
std::string tensor_suffix(std::int64_t layer, std::int64_t direction);
/// The size of the hidden state, which LSTM's projection may make smaller than the cell state.
std::int64_t output_size(const Attributes& attributes);
/// Whether LSTM's projection makes the hidden state.
bool is_projected(const Attributes& attributes);
/// The size of the input of one of the stacked layers.
std::int64_t input_size(const Attributes& attributes, std::int64_t layer);
/// Both of PyTorch's biases are there, or, for Keras's GRU with reset_after=False, the first one alone.
bool has_second_bias(const Attributes& attributes);
/// The tensors of stacked layers.
std::vector<ParameterSpec> parameters_of(const Kind& kind, const Attributes& attributes);
/// Whether the states come and go as Keras has them: a tensor of two axes for each direction.
bool has_keras_states(const std::vector<SymbolicShape>& inputs);

}  // namespace h5bridge::recurrent
