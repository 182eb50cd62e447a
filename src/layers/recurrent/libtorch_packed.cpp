// Source: aten/src/ATen/native/mkldnn/RNN.cpp, mkldnn_rnn.
#include "layers/recurrent/libtorch_packed.h"

#include "facets/libtorch/private_operator.h"

namespace h5bridge::recurrent {
namespace {

using torch::Tensor;

// One direction of one layer.
struct Part {
  Tensor weight_ih;
  Tensor weight_hh;
  Tensor bias_ih;
  Tensor bias_hh;
};

constexpr std::int64_t kModeLSTM = 2;  // oneDNN's number, as LibTorch counts

using Pack = std::vector<Tensor>(const Tensor&, const Tensor&, std::int64_t, bool, bool, bool, at::OptionalIntArrayRef);

const auto& pack_operator() {
  static const auto found = find_operator<Pack>(
      "mkldnn::_reorder_mkldnn_rnn_layer_weight", "",
      "(Tensor weight0, Tensor weight1, int hidden_size, bool reverse, bool has_biases, bool batch_first, int[]? "
      "input_size=None)");
  return found;
}

std::vector<Part> parts_of(const Attributes& a, const torch::nn::Module& module,
                           const std::vector<std::int64_t>& input_sizes) {
  const auto tensors = module.named_parameters();
  const std::int64_t hidden = a.integer("hidden_size");
  std::vector<std::int64_t> sizes = input_sizes;  // steps first
  if (a.boolean("batch_first")) std::swap(sizes[0], sizes[1]);
  std::vector<Part> result;
  for (std::int64_t layer = 0; layer < a.integer("num_layers"); ++layer) {
    for (std::int64_t direction = 0; direction < directions(a); ++direction) {
      const std::string suffix = "_l" + std::to_string(layer) + (direction == 0 ? "" : "_reverse");
      const auto tensor = [&](const std::string& name) { return tensors[name + suffix].detach(); };
      const std::vector<Tensor> packed = pack_operator()->call(tensor("weight_ih"), tensor("weight_hh"), hidden,
                                                               direction == 1, true, false, at::IntArrayRef(sizes));
      result.push_back({packed.at(0), packed.at(1), tensor("bias_ih").clone(), tensor("bias_hh").clone()});
    }
    sizes[2] = hidden * directions(a);
  }
  return result;
}

struct PackedNetwork {
  std::vector<Part> parts;
  std::int64_t hidden;
  std::int64_t directions;
  bool batch_first;

  std::pair<Tensor, TorchValues> run(const Tensor& input, const TorchValues& initial) const {
    Tensor sequence = (batch_first ? input.transpose(0, 1) : input).contiguous();
    const Tensor zeros = initial.empty() ? torch::zeros({sequence.size(1), hidden}, input.options()) : Tensor();
    TorchValues hiddens, cells;
    for (std::size_t first = 0; first < parts.size(); first += static_cast<std::size_t>(directions)) {
      TorchValues outputs;
      for (std::int64_t direction = 0; direction < directions; ++direction) {
        const auto place = static_cast<std::int64_t>(first) + direction;
        const auto state = [&](std::size_t kind) {
          return initial.empty() ? zeros : initial[kind][place].contiguous();
        };
        const Part& part = parts[static_cast<std::size_t>(place)];
        auto [output, h, c, workspace] =
            at::mkldnn_rnn_layer(sequence, part.weight_ih, part.weight_hh, part.bias_ih, part.bias_hh, state(0),
                                 state(1), direction == 1, {}, kModeLSTM, hidden, 1, true, false, false, false);
        outputs.push_back(output);
        hiddens.push_back(h);
        cells.push_back(c);
      }
      sequence = outputs.size() == 1 ? outputs[0] : torch::cat(outputs, 2);
    }
    return {batch_first ? sequence.transpose(0, 1) : sequence, {torch::stack(hiddens), torch::stack(cells)}};
  }
};

}  // namespace

PackedLSTM pack_lstm(const Attributes& a, const torch::nn::Module& module,
                     const std::vector<std::int64_t>& input_sizes) {
  const bool has_onednn = at::globalContext().userEnabledMkldnn() && at::hasMKLDNN() && pack_operator();
  const bool is_seen = input_sizes.size() == 3 && input_sizes[0] > 0 && input_sizes[1] > 0 && input_sizes[2] > 0;
  if (!has_onednn || !is_seen || !a.boolean("bias") || a.integer("proj_size") != 0) return {};
  const PackedNetwork network{parts_of(a, module, input_sizes), a.integer("hidden_size"), directions(a),
                              a.boolean("batch_first")};
  return [network](const Tensor& input, const TorchValues& initial) -> std::optional<std::pair<Tensor, TorchValues>> {
    if (input.dim() != 3 || input.numel() == 0) return std::nullopt;
    return network.run(input, initial);
  };
}

}  // namespace h5bridge::recurrent
