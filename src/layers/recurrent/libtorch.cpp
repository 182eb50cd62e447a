#include "facets/libtorch/kept_states.h"
#include "layers/recurrent/libtorch_cells.h"
#include "layers/recurrent/libtorch_network.h"
#include "layers/recurrent/libtorch_packed.h"
#include "layers/recurrent/stacked_cells.h"

namespace h5bridge::recurrent {
namespace {

using torch::Tensor;

// Without a mask.
using Run = std::function<NetworkOutputs(const Tensor& input, const TorchValues& initial)>;
struct Made {
  TorchModulePtr module;
  Run run;
};

NetworkOutputs outputs_of(const Attributes& a, Tensor sequence, TorchValues states) {
  const Tensor last = states[0].slice(0, -directions(a));
  return {std::move(sequence), std::move(states), last};
}

template <typename Options>
void set_size(Options& options, const Attributes& a) {
  options.input_size(a.integer("input_size")).hidden_size(a.integer("hidden_size"));
}

// LibTorch's module is made small: the tensors of the file take the place of the random ones.
template <typename Options>
Options small_options(const Attributes& a) {
  Options options(1, 2);
  options.num_layers(a.integer("num_layers"))
      .bias(a.boolean("bias"))
      .batch_first(a.boolean("batch_first"))
      .bidirectional(a.boolean("bidirectional"));
  if (a.integer("num_layers") > 1) options.dropout(a.number("dropout"));  // LibTorch warns of it otherwise
  return options;
}

template <typename Module>
Made made(Module module, const Attributes& a, Run run) {
  set_size(module->options, a);
  set_size(module->options_base, a);
  return {module.ptr(), std::move(run)};
}

Run run_of_lstm(torch::nn::LSTM module, const Attributes& a) {
  return [module, a](const Tensor& input, const TorchValues& initial) mutable {
    const auto [sequence, states] =
        initial.empty() ? module->forward(input) : module->forward(input, std::tuple(initial[0], initial[1]));
    return outputs_of(a, sequence, {std::get<0>(states), std::get<1>(states)});
  };
}

Made lstm(const Attributes& a) {
  auto options = small_options<torch::nn::LSTMOptions>(a);
  if (a.integer("proj_size") > 0) options.proj_size(1);
  torch::nn::LSTM module(options);
  module->options.proj_size(a.integer("proj_size"));
  module->options_base.proj_size(a.integer("proj_size"));
  return made(module, a, run_of_lstm(module, a));
}

template <typename Module>
Run run_with_one_state(Module module, const Attributes& a) {
  return [module, a](const Tensor& input, const TorchValues& initial) mutable {
    const auto [sequence, state] = module->forward(input, initial.empty() ? Tensor() : initial[0]);
    return outputs_of(a, sequence, {state});
  };
}

Made gru(const Attributes& a) {
  torch::nn::GRU module(small_options<torch::nn::GRUOptions>(a));
  return made(module, a, run_with_one_state(module, a));
}

Made simple(const Attributes& a) {
  auto options = small_options<torch::nn::RNNOptions>(a);
  if (a.text("nonlinearity") == "relu") options.nonlinearity(torch::kReLU);
  torch::nn::RNN module(options);
  return made(module, a, run_with_one_state(module, a));
}

Made step_by_step(const Kind& kind, const Attributes& a) {
  const Network module(kind, a);
  return {module.ptr(), [module, steps = Steps(kind, a)](const Tensor& input, const TorchValues& initial) {
            return steps.run(*module, input, initial, {});
          }};
}

// Whether LibTorch's own module does it.
bool is_plain(const Kind& kind, const Attributes& a) {
  if (a.number("input_dropout") > 0 || a.number("recurrent_dropout") > 0 || !has_second_bias(a) ||
      (a.boolean("separate_directions") && a.integer("num_layers") > 1))
    return false;
  if (kind.type == "RNN") return a.text("nonlinearity") == "tanh" || a.text("nonlinearity") == "relu";
  return a.text("activation") == "tanh" && a.text("recurrent_activation") == "sigmoid";
}

Made make(const Kind& kind, const Attributes& a) {
  if (!is_plain(kind, a)) return step_by_step(kind, a);
  static const std::map<std::string, Made (*)(const Attributes&)> makers{{"LSTM", lstm}, {"GRU", gru}, {"RNN", simple}};
  return makers.at(kind.type)(a);
}

// Keras's states, (batch, hidden_size) each, as PyTorch has them. Keras has all of one direction first, and of that all
// of one layer.
TorchValues stacked(const Attributes& a, const TorchValues& states, std::size_t kinds) {
  if (states.empty() || states[0].dim() == 3) return states;
  TorchValues result;
  for (std::size_t kind = 0; kind < kinds; ++kind) {
    TorchValues each;
    for (std::int64_t layer = 0; layer < a.integer("num_layers"); ++layer)
      for (std::int64_t direction = 0; direction < directions(a); ++direction)
        each.push_back(states.at((direction * a.integer("num_layers") + layer) * kinds + kind));
    result.push_back(torch::stack(each));
  }
  return result;
}

Tensor merged(const TorchValues& parts, const std::string& mode) {
  if (parts.size() == 1) return parts[0];
  if (mode == "concat") return torch::cat(parts, -1);
  if (mode == "mul") return parts[0] * parts[1];
  const Tensor sum = parts[0] + parts[1];
  return mode == "ave" ? sum / 2 : sum;
}

// The outputs as the attributes ask for them.
TorchValues presented(const Attributes& a, const NetworkOutputs& results) {
  const std::int64_t count = directions(a);
  TorchValues outputs;
  if (a.boolean("return_sequences") && a.at("merge_mode") == AttributeValue("concat")) {
    outputs = {results.sequence};
  } else {
    TorchValues parts = a.boolean("return_sequences") ? results.sequence.chunk(count, -1) : results.last.unbind(0);
    if (a.is_none("merge_mode"))
      outputs = std::move(parts);
    else
      outputs = {merged(parts, a.text("merge_mode"))};
  }
  const TorchValues& states = results.states;
  if (!a.boolean("return_state"))
    outputs.insert(outputs.end(), states.begin(), states.end());
  else
    for (std::int64_t direction = 0; direction < count; ++direction)
      for (std::int64_t layer = 0; layer < a.integer("num_layers"); ++layer)
        for (const Tensor& state : states) outputs.push_back(state[layer * count + direction]);
  return outputs;
}

// `kept`: the states that the last call ended with.
std::function<TorchValues(const TorchCall&)> forward_of(const Kind& kind, const Attributes& a, const Made& made,
                                                        const std::shared_ptr<KeptStates>& kept) {
  // LibTorch's own modules know no masks.
  return [a, kept, states = static_cast<std::size_t>(kind.states), run = made.run, module = made.module,
          steps = Steps(kind, a)](const TorchCall& call) {
    Tensor input = call.inputs.at(0), mask = call.input("mask");
    if (a.boolean("go_backwards")) {
      input = input.flip(a.boolean("batch_first") ? 1 : 0);
      if (mask.defined()) mask = mask.flip(1);
    }
    TorchValues initial = stacked(a, {call.inputs.begin() + 1, call.inputs.end()}, states);
    if (initial.empty()) initial = kept->states_for(input);
    const NetworkOutputs results = mask.defined() ? steps.run(*module, input, initial, mask) : run(input, initial);
    if (a.boolean("stateful")) kept->keep(results.states);
    return presented(a, results);
  };
}

TorchInstance sequence(const Layer& layer) {
  const Kind& kind = kind_of(layer.type);
  const Made made = make(kind, layer.attributes);
  const auto kept = std::make_shared<KeptStates>();
  return {.module = made.module, .forward = forward_of(kind, layer.attributes, made, kept), .kept = kept};
}

plan::Operation lstm_operation(const Layer& layer, const torch::nn::Module* module) {
  const Attributes& a = layer.attributes;
  const auto* own = dynamic_cast<const torch::nn::LSTMImpl*>(module);
  if (!own) return plan::Opaque{};
  return plan::Prepared{[a, own](const std::vector<std::int64_t>& sizes) -> plan::Prepared::Forward {
    const PackedLSTM packed = pack_lstm(a, *own, sizes);
    if (!packed) return {};
    const auto holder = std::static_pointer_cast<torch::nn::LSTMImpl>(
        std::const_pointer_cast<torch::nn::Module>(own->shared_from_this()));
    const Run plain = run_of_lstm(torch::nn::LSTM(holder), a);
    const Run run = [a, packed, plain](const Tensor& input, const TorchValues& initial) {
      const auto made = packed(input, initial);
      return made ? outputs_of(a, made->first, made->second) : plain(input, initial);
    };
    return forward_of(kind_of("LSTM"), a, {holder, run}, std::make_shared<KeptStates>());
  }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"LSTM", sequence, lstm_operation},
          {"GRU", sequence},
          {"RNN", sequence},
          {"LSTMCell", cell_instance},
          {"GRUCell", cell_instance},
          {"RNNCell", cell_instance},
          {kStackedCells, stacked_cells_instance}};
}

}  // namespace h5bridge::recurrent
