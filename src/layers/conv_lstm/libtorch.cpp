// Source: keras/src/layers/rnn/conv_lstm.py.
#include "facets/libtorch/kept_states.h"
#include "facets/libtorch/layer.h"
#include "facets/libtorch/padding.h"
#include "facets/spec/window.h"
#include "layers/conv_lstm/gates.h"

namespace h5bridge::conv_lstm {
namespace {

using torch::Tensor;

// Dropout that is the same in every step: none, or one for each gate.
TorchValues gate_masks(const Tensor& like, double rate) {
  TorchValues masks;
  for (std::int64_t gate = 0; rate > 0 && gate < kGates; ++gate)
    masks.push_back(torch::dropout(torch::ones_like(like), rate, /*train=*/true));
  return masks;
}

std::vector<std::int64_t> each(const std::vector<Window>& windows, std::int64_t Window::* size) {
  std::vector<std::int64_t> result;
  for (const Window& window : windows) result.push_back(window.*size);
  return result;
}

class ConvLstm {
 public:
  explicit ConvLstm(const Attributes& attributes)
      : attributes_(attributes),
        windows_(windows_of(attributes)),
        activation_(keras_activation(attributes.text("activation"))),
        recurrent_activation_(keras_activation(attributes.text("recurrent_activation"))) {
    for (const Window& window : windows_) of_state_.push_back({window.kernel, 1});
    for (const char* name : {"weight_ih", "weight_hh"}) module_->register_parameter(name, torch::empty({0}));
    if (attributes.boolean("bias")) module_->register_parameter("bias", torch::empty({0}));
  }

  const TorchModulePtr& module() const { return module_; }
  const std::shared_ptr<KeptStates>& kept() const { return kept_; }

  TorchValues forward(const TorchCall& call) const {
    Tensor input = channels_third(call.inputs.at(0)), mask = call.input("mask");
    if (attributes_.boolean("go_backwards")) {
      input = input.flip(1);
      if (mask.defined()) mask = mask.flip(1);
    }
    TorchValues states;
    for (std::size_t i = 1; i < call.inputs.size(); ++i) states.push_back(channels_second(call.inputs[i]));
    if (states.empty()) states = kept_->states_for(input);

    TorchValues outputs, input_masks, state_masks;
    Tensor last;
    for (std::int64_t t = 0; t < input.size(1); ++t) {
      const Tensor step = input.select(1, t);
      if (t == 0 && module_->is_training()) input_masks = gate_masks(step, attributes_.number("dropout"));
      const Tensor from_input =
          convolved(step, "weight_ih", "bias", windows_, attributes_.text("padding") == "same", input_masks);
      if (states.empty()) states.assign(2, torch::zeros_like(from_input.chunk(kGates, 1)[0]));
      if (t == 0 && module_->is_training())
        state_masks = gate_masks(states[0], attributes_.number("recurrent_dropout"));
      if (!last.defined()) last = torch::zeros_like(states[0]);
      TorchValues next = stepped(from_input, states, state_masks);
      Tensor output = next[0];
      if (mask.defined()) {
        Tensor counts = mask.select(1, t).to(torch::kBool);
        while (counts.dim() < output.dim()) counts = counts.unsqueeze(-1);
        const bool has_zeros = attributes_.boolean("zero_output_for_mask");
        output = torch::where(counts, output, has_zeros ? torch::zeros_like(output) : last);
        for (std::size_t i = 0; i < next.size(); ++i) next[i] = torch::where(counts, next[i], states[i]);
      }
      states = std::move(next);
      last = output;
      outputs.push_back(output);
    }
    return presented(last, outputs, states);
  }

 private:
  bool is_last() const { return attributes_.boolean("channels_last"); }
  Tensor channels_third(const Tensor& film) const { return is_last() ? film.movedim(-1, 2) : film; }
  Tensor channels_second(const Tensor& picture) const { return is_last() ? picture.movedim(-1, 1) : picture; }
  Tensor as_given(const Tensor& value, std::int64_t channels) const {
    return is_last() ? value.movedim(channels, -1) : value;
  }

  // All gates side by side.
  Tensor convolved(const Tensor& picture, const char* weight_name, const char* bias_name,
                   const std::vector<Window>& windows, bool is_same, const TorchValues& masks) const {
    const auto parameters = module_->named_parameters(/*recurse=*/false);
    const Tensor& weight = parameters[weight_name];
    const Tensor* bias = bias_name ? parameters.find(bias_name) : nullptr;
    const std::vector<std::int64_t> none(windows.size(), 0);
    const auto convolve = [&](const Tensor& input, const Tensor& kernel, const c10::optional<Tensor>& added) {
      return torch::convolution(is_same ? pad_same(input, windows) : input, kernel, added,
                                each(windows, &Window::stride), none, each(windows, &Window::dilation),
                                /*transposed=*/false, none, /*groups=*/1);
    };
    if (masks.empty()) return convolve(picture, weight, bias ? c10::optional<Tensor>(*bias) : c10::nullopt);
    const auto kernels = weight.chunk(kGates);
    TorchValues parts;
    for (std::size_t gate = 0; gate < masks.size(); ++gate)
      parts.push_back(convolve(picture * masks[gate], kernels[gate],
                               bias ? c10::optional<Tensor>(bias->chunk(kGates)[gate]) : c10::nullopt));
    return torch::cat(parts, 1);
  }

  TorchValues stepped(const Tensor& from_input, const TorchValues& states, const TorchValues& masks) const {
    const Tensor all = from_input + convolved(states[0], "weight_hh", nullptr, of_state_, /*is_same=*/true, masks);
    const auto gates = all.chunk(kGates, 1);
    const Tensor cell =
        recurrent_activation_(gates[1]) * states[1] + recurrent_activation_(gates[0]) * activation_(gates[2]);
    return {recurrent_activation_(gates[3]) * activation_(cell), cell};
  }

  TorchValues presented(const Tensor& last, const TorchValues& outputs, const TorchValues& states) const {
    TorchValues result{attributes_.boolean("return_sequences") ? as_given(torch::stack(outputs, 1), 2)
                                                               : as_given(last, 1)};
    if (attributes_.boolean("return_state"))
      for (const Tensor& state : states) result.push_back(as_given(state, 1));
    if (attributes_.boolean("stateful")) kept_->keep(states);
    return result;
  }

  Attributes attributes_;
  std::vector<Window> windows_, of_state_;
  TorchFunction activation_, recurrent_activation_;
  TorchModulePtr module_ = std::make_shared<torch::nn::Module>("ConvLSTM");
  std::shared_ptr<KeptStates> kept_ = std::make_shared<KeptStates>();  // those that the last call ended with
};

TorchInstance build(const Layer& layer) {
  const ConvLstm made(layer.attributes);
  return {.module = made.module(),
          .forward = [made](const TorchCall& call) { return made.forward(call); },
          .kept = made.kept()};
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"ConvLSTM1D", build}, {"ConvLSTM2D", build}, {"ConvLSTM3D", build}}; }

}  // namespace h5bridge::conv_lstm
