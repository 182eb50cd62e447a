#include "layers/recurrent/kinds.h"

#include <stdexcept>

namespace h5bridge::recurrent {

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> table{
      {"LSTM", "LSTM", "lstm_cell", 4, {0, 1, 2, 3}, 2},  // both i, f, c, o
      {"GRU", "GRU", "gru_cell", 3, {1, 0, 2}, 1},        // PyTorch r, z, n; Keras z, r, h
      {"RNN", "SimpleRNN", "simple_rnn_cell", 1, {0}, 1},
  };
  return table;
}

const Kind& kind_of(std::string_view type) {
  for (const Kind& kind : kinds())
    if (type == kind.type || type == kind.type + "Cell") return kind;
  throw std::logic_error(std::string(type) + " is no recurrent type");
}

std::int64_t directions(const Attributes& attributes) { return attributes.boolean("bidirectional") ? 2 : 1; }

std::string tensor_suffix(std::int64_t layer, std::int64_t direction) {
  return "_l" + std::to_string(layer) + (direction == 1 ? "_reverse" : "");
}

std::int64_t output_size(const Attributes& attributes) {
  const std::int64_t projection = attributes.contains("proj_size") ? attributes.integer("proj_size") : 0;
  return projection > 0 ? projection : attributes.integer("hidden_size");
}

bool is_projected(const Attributes& attributes) { return output_size(attributes) != attributes.integer("hidden_size"); }

std::int64_t input_size(const Attributes& attributes, std::int64_t layer) {
  if (layer == 0) return attributes.integer("input_size");
  return output_size(attributes) * (attributes.boolean("separate_directions") ? 1 : directions(attributes));
}

bool has_second_bias(const Attributes& attributes) {
  return !attributes.contains("reset_after") || attributes.boolean("reset_after");
}

std::vector<ParameterSpec> parameters_of(const Kind& kind, const Attributes& a) {
  std::vector<ParameterSpec> result;
  const std::int64_t rows = kind.gates * a.integer("hidden_size");
  for (std::int64_t layer = 0; layer < a.integer("num_layers"); ++layer)
    for (std::int64_t direction = 0; direction < directions(a); ++direction) {
      const std::string suffix = tensor_suffix(layer, direction);
      result.push_back({"weight_ih" + suffix, {rows, input_size(a, layer)}});
      result.push_back({"weight_hh" + suffix, {rows, output_size(a)}});
      if (a.boolean("bias")) result.push_back({"bias_ih" + suffix, {rows}});
      if (a.boolean("bias") && has_second_bias(a)) result.push_back({"bias_hh" + suffix, {rows}});
      if (is_projected(a)) result.push_back({"weight_hr" + suffix, {output_size(a), a.integer("hidden_size")}});
    }
  return result;
}

bool has_keras_states(const std::vector<SymbolicShape>& inputs) { return inputs.size() > 1 && inputs[1].size() == 2; }

}  // namespace h5bridge::recurrent
