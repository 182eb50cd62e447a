#include <algorithm>
#include <numeric>

#include "h5bridge/error.h"
#include "layers/recurrent/stacked_cells.h"

namespace h5bridge::recurrent {
namespace {

std::int64_t size_of_state(const Layer& cell) { return cell.attributes.integer("hidden_size"); }

// Each cell reads what the one before it gives.
void check_stack(const Attributes& a) {
  const std::vector<Layer>& cells = a.layers("cells");
  for (std::size_t i = 1; i < cells.size(); ++i)
    if (cells[i].attributes.integer("input_size") != size_of_state(cells[i - 1]))
      throw MalformedFile("cell " + std::to_string(i) + " has an input_size of " +
                          std::to_string(cells[i].attributes.integer("input_size")) + ", expected " +
                          std::to_string(size_of_state(cells[i - 1])) + ", the hidden_size of the cell before it");
}

// The states of all cells in turn, (batch, hidden_size) each.
std::vector<SymbolicShape> states_in_turn(const Attributes& a, const Size& batch) {
  std::vector<SymbolicShape> result;
  for (const Layer& cell : a.layers("cells"))
    result.insert(result.end(), kind_of(cell.type).states, {batch, size_of_state(cell)});
  return result;
}

bool may_be(const SymbolicShape& found, const SymbolicShape& expected) {
  return std::ranges::equal(found, expected,
                            [](const Size& a, const Size& b) { return a.is_open() || b.is_open() || a == b; });
}

std::vector<SymbolicShape> stack_shapes(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const Size features = a.layers("cells").front().attributes.integer("input_size");
  if (input.size() != 3 || !may_be({input[2]}, {features}))
    throw MalformedFile("its input has shape " + to_string(input) + ", expected (batch, time, " + features.str() + ")");
  const std::vector<SymbolicShape> states = states_in_turn(a, input[0]);
  if (inputs.size() > 1 && !std::equal(inputs.begin() + 1, inputs.end(), states.begin(), states.end(), may_be)) {
    std::string found, expected;
    for (std::size_t i = 1; i < inputs.size(); ++i) found += (i > 1 ? ", " : "") + to_string(inputs[i]);
    for (const SymbolicShape& state : states) expected += (expected.empty() ? "" : ", ") + to_string(state);
    throw MalformedFile("its initial states have the shapes " + found + ", expected " + expected);
  }
  const Size width = size_of_state(a.layers("cells").back());
  std::vector<SymbolicShape> result{{input[0], width}};
  if (a.boolean("return_sequences")) result = {{input[0], input[1], width}};
  if (a.boolean("return_state")) result.insert(result.end(), states.begin(), states.end());
  return result;
}

std::vector<LayerType> cell_types() {
  std::vector<LayerType> result;
  for (const Kind& kind : kinds()) result.push_back(cell_type(kind));
  return result;
}

Json cell_sample(const char* type, std::int64_t input_size, std::int64_t hidden_size, Json::Object more = {}) {
  Json::Object attributes{{"input_size", input_size}, {"hidden_size", hidden_size}};
  for (const auto& [name, value] : more) attributes.set(name, value);
  return Json::Object{{"type", type}, {"attributes", std::move(attributes)}};
}

std::vector<Sample> stack_samples() {
  const Json::Array kinds{cell_sample("LSTMCell", 5, 4), cell_sample("GRUCell", 4, 3), cell_sample("RNNCell", 3, 6)};
  const Json::Array settings{cell_sample("GRUCell", 5, 4, {{"reset_after", false}}),
                             cell_sample("LSTMCell", 4, 2, {{"bias", false}, {"activation", "relu"}}),
                             cell_sample("RNNCell", 2, 3, {{"nonlinearity", "softsign"}})};
  const Json::Array simple{cell_sample("GRUCell", 5, 4), cell_sample("RNNCell", 4, 3)};
  const Json::Array dropped{cell_sample("GRUCell", 5, 4, {{"input_dropout", 0.3}}),
                            cell_sample("LSTMCell", 4, 3, {{"recurrent_dropout", 0.2}})};
  const std::vector<Shape> sequence{{3, 6, 5}};
  const std::vector<Shape> with_states{{3, 6, 5}, {3, 4}, {3, 3}};
  return {
      {"of three kinds", {{"cells", kinds}}, sequence},
      {"other settings", {{"cells", settings}}, sequence},
      {"last step and states", {{"cells", kinds}, {"return_sequences", false}, {"return_state", true}}, sequence},
      {"backwards", {{"cells", kinds}, {"go_backwards", true}}, {{1, 4, 5}}},
      {"initial states", {{"cells", simple}, {"return_state", true}}, with_states},
      {"dropout in training", {{"cells", dropped}}, sequence},
  };
}

}  // namespace

std::string cell_prefix(std::size_t index) { return "cells." + std::to_string(index) + "."; }

std::size_t states_of_cells(const Attributes& attributes) { return states_in_turn(attributes, 1).size(); }

LayerType stacked_cells_type() {
  LayerType type;
  type.name = kStackedCells;
  type.integers = Integers::BecomeFloats;
  type.summary =
      "Keras's RNN of stacked cells of several kinds, sizes or settings; inputs: the sequence and, maybe, the states "
      "of "
      "all cells in turn; outputs: the sequence and, with return_state, the states";
  type.source = "keras/src/layers/rnn/rnn.py, stacked_rnn_cells.py";
  const auto form = [](AttributeSpec spec) { return deciding(Decides::Form, std::move(spec)); };
  type.attributes = {
      required_layers("cells", cell_types(), "the cells, each of which reads the outputs of the one before it"),
      form(boolean("return_sequences", true, "whether the output has every step; otherwise it is the last one")),
      form(boolean("return_state", false, "whether the states, (batch, hidden_size) each, are further outputs")),
      boolean("go_backwards", false, "whether the sequence is reversed first, and the output left so"),
      boolean("stateful", false, "whether a call begins with the states that the call before ended with"),
      form(boolean("zero_output_for_mask", false,
                   "whether the output of a step that is masked is zeros; otherwise it is that of the step before")),
      training(),
  };
  type.operands = {required("input"), list("hx", 0), mask_of("input")};
  type.mask = passes_mask();
  type.parameters = [types = cell_types()](const Attributes& a) {
    return parameters_of_held("cells", types, a.layers("cells"));
  };
  type.shapes = stack_shapes;
  type.check = check_stack;
  type.samples = stack_samples();
  return type;
}

}  // namespace h5bridge::recurrent
