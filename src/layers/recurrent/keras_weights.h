// The weight rules of a cell, wherever it stands.
#pragma once

#include <string>

#include "facets/keras/mapping.h"
#include "layers/recurrent/kinds.h"

namespace h5bridge::recurrent {

/// Where a Keras layer keeps the weights of a cell: "lstm_cell/kernel", "forward_rnn/lstm_cell/kernel"; and which of
/// its attributes that is.
struct Place {
  std::string part;
  std::string cell;
  std::string object = "cell";
};

/// Whether PyTorch's two biases are but added up, and one in Keras. GRU's reset gate comes between the two.
bool adds_biases(const Kind& kind, const Attributes& attributes);

/// Adds the rules of one cell, whose tensors' names begin with `prefix` and end in `suffix`.
void add_cell_rules(WeightRules& rules, const Kind& kind, const Attributes& attributes, const std::string& prefix,
                    const std::string& suffix, const Place& place);

/// What is said of two biases that are one in Keras: two parameters that move make their sum move twice as far.
inline constexpr const char* kSummedBiases =
    "PyTorch trains two biases, whose sum a step moves twice as far as Keras's one";

}  // namespace h5bridge::recurrent
