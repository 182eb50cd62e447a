// Source: keras/src/layers/rnn/lstm.py, gru.py, simple_rnn.py and dropout_rnn_cell.py.
#include "layers/recurrent/libtorch_network.h"

namespace h5bridge::recurrent {
namespace {

using torch::Tensor;

// One direction of one layer, in one call.
struct Direction {
  Tensor weight_ih, weight_hh, bias_ih, bias_hh, weight_hr;  // undefined where there is none
  TorchValues input_masks, hidden_masks;                     // of dropout: none, one for all gates, or one a gate
  TorchFunction activation, recurrent_activation;
  bool reset_after;
};

Tensor masked(const Tensor& values, const TorchValues& masks, std::size_t gate) {
  return masks.empty() ? values : values * masks[masks.size() == 1 ? 0 : gate];
}

Tensor block(const Tensor& tensor, std::int64_t gates, std::size_t gate) {
  return tensor.defined() ? tensor.chunk(gates)[gate] : tensor;
}

// What enters all gates, side by side.
Tensor product(const Tensor& values, const Tensor& weight, const Tensor& bias, const TorchValues& masks) {
  if (masks.size() <= 1) return torch::linear(masked(values, masks, 0), weight, bias);
  const auto gates = static_cast<std::int64_t>(masks.size());
  TorchValues parts;
  for (std::size_t gate = 0; gate < masks.size(); ++gate)
    parts.push_back(torch::linear(masked(values, masks, gate), block(weight, gates, gate), block(bias, gates, gate)));
  return torch::cat(parts, -1);
}

// The states after one step, from those before it.
using Step = TorchValues (*)(const Direction& d, const Tensor& from_input, const TorchValues& states);

TorchValues lstm_step(const Direction& d, const Tensor& from_input, const TorchValues& states) {
  const auto gates = (from_input + product(states[0], d.weight_hh, d.bias_hh, d.hidden_masks)).chunk(4, -1);
  const Tensor cell =
      d.recurrent_activation(gates[1]) * states[1] + d.recurrent_activation(gates[0]) * d.activation(gates[2]);
  return {d.recurrent_activation(gates[3]) * d.activation(cell), cell};
}

TorchValues gru_step(const Direction& d, const Tensor& from_input, const TorchValues& states) {
  const Tensor& hidden = states[0];
  const auto input = from_input.chunk(3, -1);
  const auto from_hidden = product(hidden, d.weight_hh, d.bias_hh, d.hidden_masks).chunk(3, -1);
  const Tensor reset = d.recurrent_activation(input[0] + from_hidden[0]);
  const Tensor update = d.recurrent_activation(input[1] + from_hidden[1]);
  const Tensor candidate = d.reset_after
                               ? reset * from_hidden[2]
                               : torch::linear(reset * masked(hidden, d.hidden_masks, 2), block(d.weight_hh, 3, 2));
  return {update * hidden + (1 - update) * d.activation(input[2] + candidate)};
}

TorchValues simple_step(const Direction& d, const Tensor& from_input, const TorchValues& states) {
  return {d.activation(from_input + product(states[0], d.weight_hh, d.bias_hh, d.hidden_masks))};
}

const std::map<std::string, Step> kSteps = {{"LSTM", lstm_step}, {"GRU", gru_step}, {"RNN", simple_step}};

// Dropout that is the same in every step.
TorchValues dropout_masks(const Tensor& like, double rate, std::int64_t count) {
  TorchValues masks;
  if (rate > 0)
    for (std::int64_t i = 0; i < count; ++i)
      masks.push_back(torch::dropout(torch::ones_like(like), rate, /*train=*/true));
  return masks;
}

// Keras takes one mask a gate wherever the hidden state is dropped out, too.
std::int64_t masks_of_dropout(const Kind& kind, const Attributes& a) {
  return a.number("recurrent_dropout") > 0 ? kind.gates : 1;
}

TorchFunction activation_of(const Kind& kind, const Attributes& a) {
  return keras_activation(a.text(kind.type == "RNN" ? "nonlinearity" : "activation"));
}

TorchFunction recurrent_activation_of(const Kind& kind, const Attributes& a) {
  return kind.type == "RNN" ? activation_of(kind, a) : keras_activation(a.text("recurrent_activation"));
}

}  // namespace

Steps::Steps(const Kind& kind, const Attributes& attributes)
    : kind_(kind),
      attributes_(attributes),
      activation_(activation_of(kind, attributes)),
      recurrent_activation_(recurrent_activation_of(kind, attributes)) {}

CellStep::CellStep(const Kind& kind, const Attributes& attributes)
    : kind_(kind),
      attributes_(attributes),
      activation_(activation_of(kind, attributes)),
      recurrent_activation_(recurrent_activation_of(kind, attributes)) {}

TorchValues CellStep::run(const torch::nn::Module& module, const Tensor& input, const TorchValues& states,
                          DropoutMasks& masks) const {
  if (module.is_training() && !masks.are_drawn) {
    const std::int64_t count = masks_of_dropout(kind_, attributes_);
    masks = {dropout_masks(input, attributes_.number("input_dropout"), count),
             dropout_masks(states.at(0), attributes_.number("recurrent_dropout"), count), true};
  }
  const auto parameters = module.named_parameters(/*recurse=*/false);
  const auto find = [&](const char* name) {
    const Tensor* found = parameters.find(name);
    return found ? *found : Tensor();
  };
  const Direction d{
      find("weight_ih"), find("weight_hh"), find("bias_ih"), find("bias_hh"),       Tensor(),
      masks.input,       masks.hidden,      activation_,     recurrent_activation_, has_second_bias(attributes_)};
  return kSteps.at(kind_.type)(d, product(input, d.weight_ih, d.bias_ih, d.input_masks), states);
}

NetworkOutputs Steps::run(const torch::nn::Module& module, const Tensor& input, const TorchValues& initial,
                          const Tensor& mask) const {
  const Attributes& a = attributes_;
  const bool batch_first = a.boolean("batch_first");
  const auto parameters = module.named_parameters(/*recurse=*/false);
  const auto find = [&](const std::string& name) {
    const Tensor* found = parameters.find(name);
    return found ? *found : Tensor();
  };
  const Tensor valid = mask.defined() ? mask.to(torch::kBool).transpose(0, 1).unsqueeze(-1) : mask;  // (time, batch, 1)
  TorchValues sequences(directions(a), batch_first ? input.transpose(0, 1) : input);  // what each direction reads
  TorchValues lasts;
  std::vector<TorchValues> finals(kind_.states);
  for (std::int64_t layer = 0; layer < a.integer("num_layers"); ++layer) {
    TorchValues outputs;
    lasts.clear();
    for (std::int64_t direction = 0; direction < directions(a); ++direction) {
      const Tensor sequence = layer > 0
                                  ? torch::dropout(sequences[direction], a.number("dropout"), module.is_training())
                                  : sequences[direction];
      const std::string suffix = tensor_suffix(layer, direction);
      Direction d{find("weight_ih" + suffix),
                  find("weight_hh" + suffix),
                  find("bias_ih" + suffix),
                  find("bias_hh" + suffix),
                  find("weight_hr" + suffix),
                  {},
                  {},
                  activation_,
                  recurrent_activation_,
                  has_second_bias(a)};
      const std::int64_t batch = sequence.size(1);
      TorchValues states{sequence.new_zeros({batch, output_size(a)})};
      if (kind_.states == 2) states.push_back(sequence.new_zeros({batch, a.integer("hidden_size")}));
      Tensor last = states[0];
      for (std::size_t i = 0; i < initial.size(); ++i) states[i] = initial[i][layer * directions(a) + direction];
      if (module.is_training()) {
        const std::int64_t count = masks_of_dropout(kind_, a);
        d.input_masks = dropout_masks(sequence[0], a.number("input_dropout"), count);
        d.hidden_masks = dropout_masks(states[0], a.number("recurrent_dropout"), count);
      }
      const auto in_order = [&](const Tensor& values) { return direction == 1 ? values.flip(0) : values; };
      const Tensor from_input = product(in_order(sequence), d.weight_ih, d.bias_ih, d.input_masks);
      const Tensor read = valid.defined() ? in_order(valid) : valid;
      TorchValues steps;
      for (std::int64_t t = 0; t < from_input.size(0); ++t) {
        TorchValues next = kSteps.at(kind_.type)(d, from_input[t], states);
        if (d.weight_hr.defined()) next[0] = torch::linear(next[0], d.weight_hr);
        if (read.defined()) {
          last = torch::where(read[t], next[0], a.boolean("zero_output_for_mask") ? torch::zeros_like(last) : last);
          for (std::size_t i = 0; i < next.size(); ++i) next[i] = torch::where(read[t], next[i], states[i]);
        } else {
          last = next[0];
        }
        states = std::move(next);
        steps.push_back(last);
      }
      outputs.push_back(in_order(torch::stack(steps)));
      lasts.push_back(last);
      for (std::size_t i = 0; i < finals.size(); ++i) finals[i].push_back(states[i]);
    }
    if (a.boolean("separate_directions"))
      sequences = std::move(outputs);
    else
      sequences.assign(sequences.size(), torch::cat(outputs, -1));
  }
  const Tensor sequence = a.boolean("separate_directions") ? torch::cat(sequences, -1) : sequences[0];
  NetworkOutputs result{batch_first ? sequence.transpose(0, 1) : sequence, {}, torch::stack(lasts)};
  for (const TorchValues& states : finals) result.states.push_back(torch::stack(states));
  return result;
}

NetworkImpl::NetworkImpl(const Kind& kind, const Attributes& attributes) {
  for (const ParameterSpec& parameter : parameters_of(kind, attributes))
    register_parameter(parameter.name, torch::empty({0}));
}

}  // namespace h5bridge::recurrent
