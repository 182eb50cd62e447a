#include "layers/recurrent/libtorch_cells.h"

#include "facets/libtorch/kept_states.h"
#include "layers/recurrent/stacked_cells.h"

namespace h5bridge::recurrent {
namespace {

using torch::Tensor;

// LibTorch's module is made small: the tensors of the file take the place of the random ones.
template <typename Module, typename Options>
Module small_cell(const Attributes& a, Options options) {
  Module module(options.bias(a.boolean("bias")));
  module->options.input_size(a.integer("input_size")).hidden_size(a.integer("hidden_size"));
  module->options_base.input_size(a.integer("input_size")).hidden_size(a.integer("hidden_size"));
  return module;
}

struct MadeCell {
  TorchModulePtr module;
  std::function<TorchValues(const Tensor& input, const TorchValues& states, DropoutMasks& masks)> run;
};

template <typename Module>
MadeCell with_one_state(Module module) {
  return {module.ptr(), [module](const Tensor& input, const TorchValues& states, DropoutMasks&) mutable {
            return TorchValues{module->forward(input, states.at(0))};
          }};
}

MadeCell lstm_cell(const Attributes& a) {
  auto module = small_cell<torch::nn::LSTMCell>(a, torch::nn::LSTMCellOptions(1, 1));
  return {module.ptr(), [module](const Tensor& input, const TorchValues& states, DropoutMasks&) mutable {
            const auto [hidden, cell] = module->forward(input, std::tuple(states.at(0), states.at(1)));
            return TorchValues{hidden, cell};
          }};
}

MadeCell gru_cell(const Attributes& a) {
  return with_one_state(small_cell<torch::nn::GRUCell>(a, torch::nn::GRUCellOptions(1, 1)));
}

MadeCell simple_cell(const Attributes& a) {
  torch::nn::RNNCellOptions options(1, 1);
  if (a.text("nonlinearity") == "relu") options.nonlinearity(torch::kReLU);
  return with_one_state(small_cell<torch::nn::RNNCell>(a, options));
}

// One with settings that LibTorch's cells do not have.
MadeCell cell_of_keras(const Kind& kind, const Attributes& a) {
  const auto module = std::make_shared<torch::nn::Module>(kind.type + "Cell");
  for (const ParameterSpec& parameter : cell_type(kind).parameters(a))
    module->register_parameter(parameter.name, torch::empty({0}));
  return {module, [module = module.get(), step = CellStep(kind, a)](const Tensor& input, const TorchValues& states,
                                                                    DropoutMasks& masks) {
            return step.run(*module, input, states, masks);
          }};
}

bool is_torchs(const Kind& kind, const Attributes& a) {
  if (a.number("input_dropout") > 0 || a.number("recurrent_dropout") > 0 || !has_second_bias(a)) return false;
  if (kind.type == "RNN") return a.text("nonlinearity") == "tanh" || a.text("nonlinearity") == "relu";
  return a.text("activation") == "tanh" && a.text("recurrent_activation") == "sigmoid";
}

MadeCell made_cell(const Kind& kind, const Attributes& a) {
  if (!is_torchs(kind, a)) return cell_of_keras(kind, a);
  static const std::map<std::string, MadeCell (*)(const Attributes&)> makers{
      {"LSTM", lstm_cell}, {"GRU", gru_cell}, {"RNN", simple_cell}};
  return makers.at(kind.type)(a);
}

// In one call of the layer.
struct Stepped {
  const Cell& cell;
  TorchValues states;
  DropoutMasks masks = {};
};

class StackedCells {
 public:
  explicit StackedCells(const Attributes& attributes) : attributes_(attributes) {
    const auto held = std::make_shared<torch::nn::Module>("ModuleList");
    for (const Layer& layer : attributes.layers("cells")) {
      cells_.emplace_back(layer);
      held->register_module(std::to_string(cells_.size() - 1), cells_.back().module());
    }
    module_->register_module("cells", held);
  }

  const TorchModulePtr& module() const { return module_; }
  const std::shared_ptr<KeptStates>& kept() const { return kept_; }

  TorchValues forward(const TorchCall& call) const {
    Tensor input = call.inputs.at(0), mask = call.input("mask");
    if (attributes_.boolean("go_backwards")) {
      input = input.flip(1);
      if (mask.defined()) mask = mask.flip(1);
    }
    if (mask.defined()) mask = mask.to(torch::kBool).unsqueeze(-1);
    TorchValues initial(call.inputs.begin() + 1, call.inputs.end());
    if (initial.empty()) initial = kept_->states_for(input);
    std::vector<Stepped> stack = begin(input, initial);

    TorchValues outputs;
    Tensor last =
        input.new_zeros({input.size(0), attributes_.layers("cells").back().attributes.integer("hidden_size")});
    const Tensor masked = last;
    for (std::int64_t t = 0; t < input.size(1); ++t) {
      const Tensor counts = mask.defined() ? mask.select(1, t) : mask;
      Tensor value = input.select(1, t);
      for (Stepped& one : stack) {
        TorchValues next = one.cell.step(value, one.states, one.masks);
        value = next[0];
        for (std::size_t i = 0; counts.defined() && i < next.size(); ++i)
          next[i] = torch::where(counts, next[i], one.states[i]);
        one.states = std::move(next);
      }
      last = counts.defined() ? torch::where(counts, value, attributes_.boolean("zero_output_for_mask") ? masked : last)
                              : value;
      outputs.push_back(last);
    }
    return presented(last, outputs, stack);
  }

 private:
  std::vector<Stepped> begin(const Tensor& input, const TorchValues& initial) const {
    std::vector<Stepped> stack;
    std::size_t next = 0;
    for (const Cell& cell : cells_) {
      TorchValues states = cell.first_states(input);
      for (std::size_t i = 0; i < states.size() && !initial.empty(); ++i) states[i] = initial.at(next++);
      stack.push_back({cell, std::move(states)});
    }
    return stack;
  }

  TorchValues presented(const Tensor& last, const TorchValues& outputs, const std::vector<Stepped>& stack) const {
    TorchValues result{attributes_.boolean("return_sequences") ? torch::stack(outputs, 1) : last};
    TorchValues states;
    for (const Stepped& one : stack) states.insert(states.end(), one.states.begin(), one.states.end());
    if (attributes_.boolean("return_state")) result.insert(result.end(), states.begin(), states.end());
    if (attributes_.boolean("stateful")) kept_->keep(states);
    return result;
  }

  Attributes attributes_;
  std::vector<Cell> cells_;
  TorchModulePtr module_ = std::make_shared<torch::nn::Module>(kStackedCells);
  std::shared_ptr<KeptStates> kept_ = std::make_shared<KeptStates>();  // those that the last call ended with
};

}  // namespace

Cell::Cell(const Layer& layer) : kind_(kind_of(layer.type)), hidden_size_(layer.attributes.integer("hidden_size")) {
  MadeCell made = made_cell(kind_, layer.attributes);
  module_ = std::move(made.module);
  run_ = std::move(made.run);
}

TorchValues Cell::first_states(const Tensor& input) const {
  return TorchValues(states(), input.new_zeros({input.size(0), hidden_size_}));
}

TorchValues Cell::step(const Tensor& input, const TorchValues& states, DropoutMasks& masks) const {
  return run_(input, states, masks);
}

TorchInstance cell_instance(const Layer& layer) {
  const Cell cell(layer);
  return {cell.module(), [cell](const TorchCall& call) {
            const Tensor& input = call.inputs.at(0);
            TorchValues states(call.inputs.begin() + 1, call.inputs.end());
            if (states.empty()) states = cell.first_states(input);
            DropoutMasks masks;
            return cell.step(input, states, masks);
          }};
}

TorchInstance stacked_cells_instance(const Layer& layer) {
  const StackedCells stack(layer.attributes);
  return {.module = stack.module(),
          .forward = [stack](const TorchCall& call) { return stack.forward(call); },
          .kept = stack.kept()};
}

}  // namespace h5bridge::recurrent
