#include <algorithm>

#include "facets/spec/kernel.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"
#include "layers/conv_lstm/gates.h"

namespace h5bridge::conv_lstm {
namespace {

using Shapes = std::vector<SymbolicShape>;

void check(const Attributes& a) {
  for (const char* name : {"in_channels", "out_channels"})
    if (a.contains(name) && (a.integer(name) < 1 || a.integer(name) >= std::int64_t{1} << 24))
      throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(a.integer(name)) +
                          ", expected a number of channels");
  for (const char* name : {"kernel_size", "stride", "dilation"}) check_at_least(a, name, 1);
  for (const char* name : {"dropout", "recurrent_dropout"})
    if (!(a.number(name) >= 0 && a.number(name) <= 1))
      throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(a.number(name)) + ", expected a share");
}

// A state, and the output of a step: (batch, channels, ...) or (batch, ..., channels).
SymbolicShape step_shape(const Attributes& a, const SymbolicShape& input) {
  const std::vector<Window> windows = windows_of(a);
  const bool channels_last = a.boolean("channels_last");
  if (input.size() != windows.size() + 3)
    throw MalformedFile("its input has shape " + to_string(input) + ", expected " + std::to_string(windows.size() + 3) +
                        " axes: batch, time, those of a picture and channels");
  const Size& channels = channels_last ? input.back() : input[2];
  if (channels != Size(a.integer("in_channels")))
    throw MalformedFile("its input has shape " + to_string(input) + ", expected " +
                        std::to_string(a.integer("in_channels")) + " channels");
  SymbolicShape spatial;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const Size& size = input[i + (channels_last ? 2 : 3)];
    spatial.push_back(a.text("padding") == "same" ? windows_in_same(size, windows[i])
                                                  : windows_in(size, windows[i], {0, 0}));
  }
  SymbolicShape result{input[0]};
  result.insert(result.end(), spatial.begin(), spatial.end());
  result.insert(channels_last ? result.end() : result.begin() + 1, a.integer("out_channels"));
  return result;
}

Shapes shapes(const Attributes& a, const Shapes& inputs) {
  const SymbolicShape state = step_shape(a, inputs.at(0));
  if (inputs.size() != 1 && inputs.size() != 3)
    throw MalformedFile("it has " + std::to_string(inputs.size() - 1) + " initial states, expected 2");
  for (std::size_t i = 1; i < inputs.size(); ++i)
    if (!std::ranges::equal(inputs[i], state,
                            [](const Size& x, const Size& y) { return x.is_open() || y.is_open() || x == y; }))
      throw MalformedFile("its initial state has shape " + to_string(inputs[i]) + ", expected " + to_string(state));
  SymbolicShape output = state;
  if (a.boolean("return_sequences")) output.insert(output.begin() + 1, inputs[0][1]);
  Shapes result{output};
  if (a.boolean("return_state")) result.insert(result.end(), 2, state);
  return result;
}

std::vector<ParameterSpec> parameters(const Attributes& a) {
  const std::int64_t rows = kGates * a.integer("out_channels");
  Shape of_input{rows, a.integer("in_channels")}, of_state{rows, a.integer("out_channels")};
  for (const std::int64_t size : a.integers("kernel_size")) {
    of_input.push_back(size);
    of_state.push_back(size);
  }
  std::vector<ParameterSpec> result{{"weight_ih", of_input}, {"weight_hh", of_state}};
  if (a.boolean("bias")) result.push_back({"bias", {rows}});
  return result;
}

std::vector<AttributeSpec> attributes(std::size_t axes) {
  const auto form = [](AttributeSpec spec) { return deciding(Decides::Form, std::move(spec)); };
  const auto training_only = [](AttributeSpec spec) { return deciding(Decides::Training, std::move(spec)); };
  return {
      required_integer("in_channels", "channels of the input"),
      required_integer("out_channels", "channels of the output and of the states"),
      required_tuple("kernel_size", axes, "size of the windows, in the input and in the states"),
      tuple("stride", axes, 1, "steps between windows of the input; states have none between them"),
      text("padding", "valid", {"valid", "same"}, "of the input; states are padded so that they keep their size"),
      tuple("dilation", axes, 1, "steps between a window's elements in the input"),
      boolean("channels_last", false, "whether the channels stand last; otherwise they are the third axis"),
      boolean("bias", true, "whether a bias is added"),
      text("activation", "tanh", {}, "the function of the new values, by its name in keras.activations"),
      text("recurrent_activation", "sigmoid", {}, "the function of the gates, likewise"),
      form(boolean("return_sequences", true, "whether the output has every step; otherwise it is the last one")),
      form(boolean("return_state", false, "whether the two states are further outputs")),
      boolean("go_backwards", false, "whether the sequence is reversed first, and the output left so"),
      boolean("stateful", false, "whether a call begins with the states that the call before ended with"),
      form(boolean("zero_output_for_mask", false,
                   "whether the output of a step that is masked is zeros; otherwise it is that of the step before")),
      training_only(number("dropout", 0, "dropout of the input, in training, the same in every step")),
      training_only(number("recurrent_dropout", 0, "dropout of the hidden state, likewise")),
      training(),
  };
}

void add_samples(LayerType& type, std::size_t axes) {
  const std::int64_t sizes[] = {5, 4, 3};
  const auto film = [&](std::int64_t batch, std::int64_t steps, std::int64_t channels, bool channels_last) {
    Shape shape{batch, steps};
    if (!channels_last) shape.push_back(channels);
    shape.insert(shape.end(), sizes, sizes + axes);
    if (channels_last) shape.push_back(channels);
    return shape;
  };
  const auto sample = [&](const char* what, Json::Object more, std::vector<Shape> inputs) {
    Json::Object all{{"in_channels", 2}, {"out_channels", 3}, {"kernel_size", 2}};
    for (const auto& [name, value] : more) all.set(name, value);
    type.samples.push_back({what, std::move(all), std::move(inputs)});
  };
  sample("plain", {}, {film(3, 4, 2, false)});
  sample("same, channels last", {{"padding", "same"}, {"channels_last", true}, {"kernel_size", 3}},
         {film(1, 3, 2, true)});
  sample("strides, without bias", {{"stride", 2}, {"padding", "same"}, {"bias", false}}, {film(3, 4, 2, false)});
  sample("dilation", {{"dilation", 2}, {"activation", "softsign"}, {"recurrent_activation", "hard_sigmoid"}},
         {film(2, 3, 2, false)});
  sample("last step and states", {{"return_sequences", false}, {"return_state", true}}, {film(3, 4, 2, false)});
  sample("backwards, dropout", {{"go_backwards", true}, {"dropout", 0.3}, {"recurrent_dropout", 0.2}},
         {film(2, 3, 2, false)});
  Shape state{2, 3};
  for (std::size_t i = 0; i < axes; ++i) state.push_back(sizes[i] - 1);
  sample("initial states", {}, {film(2, 3, 2, false), state, state});
}

LayerType conv_lstm(std::size_t axes) {
  LayerType type;
  type.name = "ConvLSTM" + keras_suffix(axes);
  type.summary =
      "Keras's LSTM whose products are convolutions; inputs: the sequence and, maybe, two states; outputs: the "
      "sequence "
      "and, with return_state, the states";
  type.source = "keras/src/layers/rnn/conv_lstm.py";
  type.integers = Integers::BecomeFloats;
  type.dtypes = promotes().at_least_float();
  type.attributes = attributes(axes);
  type.operands = {required("input"), list("hx", 0, 2), mask_of("input")};
  type.mask = passes_mask();
  type.parameters = parameters;
  type.shapes = shapes;
  type.check = check;
  add_samples(type, axes);
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {conv_lstm(1), conv_lstm(2), conv_lstm(3)}; }

}  // namespace h5bridge::conv_lstm
