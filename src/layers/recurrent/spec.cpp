#include <algorithm>
#include <iterator>

#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/recurrent/stacked_cells.h"

namespace h5bridge::recurrent {
namespace {

using Shapes = std::vector<SymbolicShape>;

constexpr std::int64_t kMost = 1 << 24;  // of anything: more than a file can fill

void check(const Attributes& a) {
  for (const char* name : {"input_size", "hidden_size", "num_layers"})
    if (a.contains(name) && (a.integer(name) < 1 || a.integer(name) > kMost))
      throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(a.integer(name)) + ", expected 1 to " +
                          std::to_string(kMost));
  for (const char* name : {"dropout", "input_dropout", "recurrent_dropout"})
    if (a.contains(name) && !(a.number(name) >= 0 && a.number(name) <= 1))
      throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(a.number(name)) + ", expected 0 to 1");
  if (a.contains("proj_size") && (a.integer("proj_size") < 0 || a.integer("proj_size") >= a.integer("hidden_size")))
    throw MalformedFile("\"proj_size\" is " + std::to_string(a.integer("proj_size")) +
                        ", expected 0 to less than \"hidden_size\"");
  if (a.contains("merge_mode") && a.at("merge_mode") != AttributeValue("concat") &&
      ((a.integer("num_layers") > 1 && !a.boolean("separate_directions")) || !a.boolean("bidirectional")))
    throw MalformedFile("\"merge_mode\" is for one bidirectional layer");
  if (a.contains("return_state") && a.boolean("return_state") && is_projected(a))
    throw MalformedFile("\"return_state\" is for layers without a projection");
}

void check_shape(const std::string& what, const SymbolicShape& found, const SymbolicShape& expected) {
  bool fits = found.size() == expected.size();
  for (std::size_t i = 0; fits && i < found.size(); ++i)
    fits = found[i].is_open() || expected[i].is_open() || found[i] == expected[i];
  if (!fits)
    throw MalformedFile("its " + what + " has shape " + to_string(found) + ", expected " + to_string(expected));
}

void check_features(const Attributes& a, const SymbolicShape& input) {
  if (input.empty() || input.back() != Size(a.integer("input_size")))
    throw MalformedFile("its input has shape " + to_string(input) + ", expected " +
                        std::to_string(a.integer("input_size")) + " as the last size");
}

// The hidden state and, for LSTM, the cell state, as PyTorch has them: those of all layers and directions in one
// tensor.
Shapes stacked_states(const Kind& kind, const Attributes& a, const Size& batch) {
  const Size count = a.integer("num_layers") * directions(a);
  Shapes result{{count, batch, output_size(a)}};
  if (kind.states == 2) result.push_back({count, batch, a.integer("hidden_size")});
  return result;
}

// As Keras has them.
Shapes separate_states(const Kind& kind, const Attributes& a, const Size& batch) {
  return Shapes(kind.states * directions(a) * a.integer("num_layers"), {batch, a.integer("hidden_size")});
}

Shapes shapes(const Kind& kind, const Attributes& a, const Shapes& inputs) {
  const SymbolicShape& input = inputs.at(0);
  if (input.size() == 2)
    throw Unsupported("its input of shape " + to_string(input) +
                      " has no batch axis; a single sequence needs an axis of 1");
  if (input.size() != 3) throw MalformedFile("its input has shape " + to_string(input) + ", expected three axes");
  check_features(a, input);
  const Size& batch = input[a.boolean("batch_first") ? 0 : 1];
  if (inputs.size() > 1) {
    const bool separate = has_keras_states(inputs);
    if (separate && is_projected(a))
      throw MalformedFile("its initial state has shape " + to_string(inputs[1]) + ", expected three axes");
    const Shapes expected = separate ? separate_states(kind, a, batch) : stacked_states(kind, a, batch);
    if (inputs.size() - 1 != expected.size())
      throw MalformedFile("it has " + std::to_string(inputs.size() - 1) + " initial states, expected " +
                          std::to_string(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i) check_shape("initial state", inputs[i + 1], expected[i]);
  }
  SymbolicShape output = input;
  if (!a.boolean("return_sequences")) output = {batch, {}};
  const bool joined = a.at("merge_mode") == AttributeValue("concat");
  output.back() = joined ? directions(a) * output_size(a) : output_size(a);
  Shapes result(a.is_none("merge_mode") ? 2 : 1, output);
  for (SymbolicShape& state :
       a.boolean("return_state") ? separate_states(kind, a, batch) : stacked_states(kind, a, batch))
    result.push_back(std::move(state));
  return result;
}

AttributeSpec activation(const std::string& name, const std::string& fallback, const std::string& meaning) {
  return text(name, fallback, {}, meaning + ", by its name in keras.activations; PyTorch has " + fallback);
}

std::vector<AttributeSpec> nonlinearities(const Kind& kind) {
  if (kind.type == "RNN")
    return {text("nonlinearity", "tanh", {}, "\"tanh\" or \"relu\"; Keras has any name in keras.activations")};
  return {activation("activation", "tanh", "the function of the new values"),
          activation("recurrent_activation", "sigmoid", "the function of the gates")};
}

void append(std::vector<AttributeSpec>& to, std::vector<AttributeSpec> more) {
  std::ranges::move(more, std::back_inserter(to));
}

AttributeSpec reset_after() {
  return boolean("reset_after", true, "whether the reset gate acts after the matrix product, as in PyTorch");
}

std::vector<AttributeSpec> attributes(const Kind& kind) {
  AttributeSpec merge_mode = nullable(text("merge_mode", "concat", {"concat", "sum", "mul", "ave"},
                                           "what Keras makes of the two directions; None: an output each"));
  std::vector<AttributeSpec> result{
      required_integer("input_size", "size of the last axis of the input"),
      required_integer("hidden_size", "size of the hidden state"),
      integer("num_layers", 1, "layers that are stacked"),
      boolean("bias", true, "whether biases are added"),
      boolean("batch_first", false,
              "whether the input is (batch, time, features); otherwise it is (time, batch, features)"),
      deciding(Decides::Training, number("dropout", 0, "dropout between stacked layers, in training")),
      boolean("bidirectional", false, "whether a second network reads the sequence from its end"),
  };
  if (kind.type == "LSTM")
    result.push_back(integer("proj_size", 0, "size that the hidden state is projected to; 0 for none"));
  append(result, nonlinearities(kind));
  if (kind.type == "GRU") result.push_back(reset_after());
  append(result,
         {
             boolean("return_sequences", true,
                     "whether the output has every step; otherwise it is the last step of each direction"),
             boolean("return_state", false,
                     "whether the further outputs are Keras's states, (batch, hidden_size) each; otherwise they are "
                     "PyTorch's h_n and c_n"),
             boolean("go_backwards", false, "whether the sequence is reversed first, and the output left so"),
             merge_mode,
             boolean("stateful", false,
                     "whether a call begins with the state that the call before ended with, as in Keras"),
             boolean("zero_output_for_mask", false,
                     "whether the output of a step that is masked is zeros; otherwise it is that of the step before"),
             boolean("separate_directions", false,
                     "whether stacked layers read their own direction alone, as in Keras's Bidirectional of stacked "
                     "cells; PyTorch's read both"),
             deciding(Decides::Training,
                      number("input_dropout", 0, "Keras's dropout of the input, the same in every step, in training")),
             deciding(Decides::Training, number("recurrent_dropout", 0,
                                                "Keras's dropout of the hidden state, the same in every step, in "
                                                "training")),
             training(),
         });
  // Which outputs there are, and in which order: others may pick from what is there.
  for (AttributeSpec& spec : result)
    for (const char* name : {"batch_first", "return_sequences", "return_state", "merge_mode", "zero_output_for_mask"})
      if (spec.name == name) spec.decides = Decides::Form;
  return result;
}

LayerType sequence(const Kind& kind) {
  LayerType type;
  type.name = kind.type;
  type.integers = Integers::BecomeFloats;
  type.summary =
      std::string(kind.type == "RNN" ? "simple" : kind.type) + " recurrent layers; inputs: the sequence and, maybe, " +
      (kind.states == 2 ? "h_0 and c_0; outputs: the sequence, h_n and c_n" : "h_0; outputs: the sequence and h_n");
  type.source = "torch/nn/modules/rnn.py; keras/src/layers/rnn/";
  type.attributes = attributes(kind);
  // A state of each layer and direction, as Keras has them.
  type.operands = {required("input"), list("hx", 0, kMost), mask_of("input")};
  type.mask = passes_mask();
  type.parameters = [&kind](const Attributes& a) { return parameters_of(kind, a); };
  type.shapes = [&kind](const Attributes& a, const Shapes& inputs) { return shapes(kind, a, inputs); };
  type.check = check;

  const auto sample = [&](const std::string& what, Json::Object more, std::vector<Shape> states = {},
                          bool in_keras = true) {
    Json::Object attributes{{"input_size", 5}, {"hidden_size", 4}, {"batch_first", true}};
    for (const auto& [name, value] : more) attributes.set(name, value);
    std::vector<Shape> inputs{{3, 6, attributes.at("input_size").as_integer()}};
    if (!attributes.at("batch_first").as_bool()) std::swap(inputs[0][0], inputs[0][1]);
    for (Shape& state : states) inputs.push_back(std::move(state));
    Sample made{what, attributes, std::move(inputs), in_keras};
    const std::size_t batch = attributes.at("batch_first").as_bool() ? 0 : 1;
    made.batch_axes.push_back(batch);
    for (std::size_t i = 1; i < made.inputs.size(); ++i) made.batch_axes.push_back(made.inputs[i].size() == 3 ? 1 : 0);
    type.samples.push_back(std::move(made));
  };
  // The initial states as PyTorch has them, or, for two axes, as Keras does.
  const auto states = [&](Shape each, std::int64_t count = 1) { return std::vector<Shape>(kind.states * count, each); };
  sample("plain", {});
  sample("time first", {{"batch_first", false}});
  sample("square", {{"input_size", 4}});
  sample("without bias", {{"bias", false}});
  sample("two layers with dropout", {{"num_layers", 2}, {"dropout", 0.4}});
  sample("bidirectional", {{"bidirectional", true}});
  sample("bidirectional without bias", {{"bidirectional", true}, {"bias", false}});
  sample("three bidirectional layers, time first",
         {{"num_layers", 3}, {"bidirectional", true}, {"batch_first", false}});
  sample("initial state", {}, states({1, 3, 4}));
  sample("initial state, two bidirectional layers, time first",
         {{"num_layers", 2}, {"bidirectional", true}, {"batch_first", false}}, states({4, 3, 4}));
  if (kind.type == "LSTM") {
    sample("projection", {{"proj_size", 2}});
    sample("projection without bias, time first", {{"proj_size", 2}, {"bias", false}, {"batch_first", false}});
    sample("projection, bidirectional", {{"proj_size", 2}, {"bidirectional", true}});
    sample("projection, three bidirectional layers with dropout",
           {{"proj_size", 2}, {"num_layers", 3}, {"bidirectional", true}, {"dropout", 0.4}});
    sample("projection, last step of two layers", {{"proj_size", 2}, {"num_layers", 2}, {"return_sequences", false}});
    sample("projection, backwards and merged",
           {{"proj_size", 2}, {"bidirectional", true}, {"go_backwards", true}, {"merge_mode", "ave"}});
    sample("projection, last steps, not merged",
           {{"proj_size", 2}, {"bidirectional", true}, {"return_sequences", false}, {"merge_mode", nullptr}});
    sample("projection, initial state", {{"proj_size", 2}, {"batch_first", false}}, {{1, 3, 2}, {1, 3, 4}});
    sample("projection, initial state, two bidirectional layers",
           {{"proj_size", 2}, {"num_layers", 2}, {"bidirectional", true}}, {{4, 3, 2}, {4, 3, 4}});
  }
  if (kind.type == "RNN") {
    sample("relu", {{"nonlinearity", "relu"}});
    sample("another activation", {{"nonlinearity", "softsign"}, {"bidirectional", true}});
  } else {
    sample(
        "other activations",
        {{"activation", "relu"}, {"recurrent_activation", "hard_sigmoid"}, {"num_layers", 2}, {"bidirectional", true}});
    type.samples.back().between = {-1.0, 1.0};  // a ReLU lets states grow without bound, and rounding with them
  }
  if (kind.type == "GRU") {
    sample("reset before", {{"reset_after", false}});
    sample("reset before, without bias", {{"reset_after", false}, {"bias", false}, {"bidirectional", true}});
  }
  sample("last step", {{"return_sequences", false}});
  sample("last step of two layers, time first",
         {{"return_sequences", false}, {"num_layers", 2}, {"batch_first", false}});
  sample("last steps of both directions", {{"return_sequences", false}, {"bidirectional", true}});
  sample("states as Keras has them", {{"return_state", true}, {"return_sequences", false}, {"bidirectional", true}},
         states({3, 4}, 2));
  sample("states of two layers as Keras has them", {{"return_state", true}, {"num_layers", 2}}, states({3, 4}, 2));
  sample("states of two bidirectional layers as Keras has them",
         {{"return_state", true}, {"num_layers", 2}, {"bidirectional", true}}, states({3, 4}, 4));
  sample("separate directions", {{"separate_directions", true},
                                 {"num_layers", 2},
                                 {"bidirectional", true},
                                 {"merge_mode", "sum"},
                                 {"return_state", true}});
  sample("backwards", {{"go_backwards", true}}, states({3, 4}));
  sample("backwards, bidirectional", {{"go_backwards", true}, {"bidirectional", true}});
  for (const char* mode : {"sum", "mul", "ave"})
    sample("merged by " + std::string(mode), {{"merge_mode", mode}, {"bidirectional", true}});
  sample("not merged", {{"merge_mode", nullptr}, {"bidirectional", true}, {"return_state", true}});
  sample("dropout in training", {{"input_dropout", 0.3}, {"recurrent_dropout", 0.2}});
  return type;
}

}  // namespace

LayerType cell_type(const Kind& kind) {
  LayerType type;
  type.name = kind.type + "Cell";
  type.summary = "one step of " + kind.type + "; inputs: the features and, maybe, " +
                 (kind.states == 2 ? "h and c; outputs: h and c" : "h; output: h");
  type.source = "torch/nn/modules/rnn.py; keras/src/layers/rnn/";
  type.attributes = {
      required_integer("input_size", "size of the last axis of the input"),
      required_integer("hidden_size", "size of the hidden state"),
      boolean("bias", true, "whether biases are added"),
  };
  append(type.attributes, nonlinearities(kind));
  if (kind.type == "GRU") type.attributes.push_back(reset_after());
  type.attributes.push_back(
      deciding(Decides::Training,
               number("input_dropout", 0, "Keras's dropout of the input, in training, the same in every step")));
  type.attributes.push_back(deciding(
      Decides::Training,
      number("recurrent_dropout", 0, "Keras's dropout of the hidden state, in training, the same in every step")));
  type.operands = {required("input"), list("hx", 0, static_cast<std::size_t>(kind.states))};
  type.parameters = [&kind](const Attributes& a) {
    const std::int64_t rows = kind.gates * a.integer("hidden_size");
    std::vector<ParameterSpec> result{{"weight_ih", {rows, a.integer("input_size")}},
                                      {"weight_hh", {rows, a.integer("hidden_size")}}};
    if (a.boolean("bias")) result.push_back({"bias_ih", {rows}});
    if (a.boolean("bias") && has_second_bias(a)) result.push_back({"bias_hh", {rows}});
    return result;
  };
  type.shapes = [&kind](const Attributes& a, const Shapes& inputs) {
    if (inputs.at(0).size() == 1)
      throw Unsupported("its input of shape " + to_string(inputs[0]) +
                        " has no batch axis; a single sample needs an axis of 1");
    if (inputs[0].size() != 2)
      throw MalformedFile("its input has shape " + to_string(inputs[0]) + ", expected two axes");
    check_features(a, inputs[0]);
    const SymbolicShape state{inputs[0][0], a.integer("hidden_size")};
    if (inputs.size() != 1 && inputs.size() != 1 + static_cast<std::size_t>(kind.states))
      throw MalformedFile("it has " + std::to_string(inputs.size() - 1) + " states, expected " +
                          std::to_string(kind.states));
    for (std::size_t i = 1; i < inputs.size(); ++i) check_shape("state", inputs[i], state);
    return Shapes(kind.states, state);
  };
  type.check = check;
  const Json::Object sizes{{"input_size", 5}, {"hidden_size", 4}};
  std::vector<Shape> with_states{{3, 5}};
  for (std::int64_t i = 0; i < kind.states; ++i) with_states.push_back({3, 4});
  type.samples = {
      {"plain", sizes, {{3, 5}}},
      {"with states", sizes, with_states},
      {"without bias", {{"input_size", 4}, {"hidden_size", 4}, {"bias", false}}, {{1, 4}}},
  };
  const auto sample = [&](const char* what, Json::Object more) {
    Json::Object all = sizes;
    for (const auto& [name, value] : more) all.set(name, value);
    type.samples.push_back({what, std::move(all), with_states});
  };
  if (kind.type == "RNN") {
    sample("relu", {{"nonlinearity", "relu"}});
    sample("another activation", {{"nonlinearity", "softsign"}});
  } else {
    sample("other activations", {{"activation", "softsign"}, {"recurrent_activation", "hard_sigmoid"}});
  }
  if (kind.type == "GRU") sample("reset before", {{"reset_after", false}});
  sample("dropout in training", {{"input_dropout", 0.3}, {"recurrent_dropout", 0.2}});
  return type;
}

std::vector<LayerType> layer_types() {
  std::vector<LayerType> result;
  for (const Kind& kind : kinds()) result.push_back(sequence(kind));
  for (const Kind& kind : kinds()) result.push_back(cell_type(kind));
  result.push_back(stacked_cells_type());
  return result;
}

}  // namespace h5bridge::recurrent
