// Source: keras/src/activations/activations.py and keras/src/backend/torch/nn.py.
#include "layers/torch_layer.h"

#include <map>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using torch::Tensor;

Tensor sparse_plus(const Tensor& x) { return torch::where(x <= -1, torch::zeros_like(x), torch::where(x < 1, 0.25 * (x + 1).pow(2), x)); }

Tensor sparse_sigmoid(const Tensor& x) {
  return torch::where(x <= -1, torch::zeros_like(x), torch::where(x >= 1, torch::ones_like(x), 0.5 * (x + 1)));
}

// As Keras has it on every backend: its threshold adds up all the partial sums of the support, where the projection onto the
// simplex takes the last, so that the result need not sum to one.
Tensor sparsemax(const Tensor& x) {
  const Tensor sorted = std::get<0>(x.sort(/*dim=*/-1, /*descending=*/true));
  const Tensor sums = sorted.cumsum(-1);
  const Tensor ranks = torch::arange(1, x.size(-1) + 1, x.options());
  const Tensor support = sorted - (sums - 1) / ranks > 0;
  const Tensor count = support.sum(-1, /*keepdim=*/true);
  const Tensor threshold = (torch::where(support, sums, torch::zeros_like(sums)).sum(-1, /*keepdim=*/true) - 1) / count;
  return torch::clamp_min(x - threshold, 0);
}

const std::map<std::string_view, Tensor (*)(const Tensor&)> kActivations = {
    {"celu", [](const Tensor& x) { return torch::celu(x); }},
    {"elu", [](const Tensor& x) { return torch::elu(x); }},
    {"exponential", [](const Tensor& x) { return torch::exp(x); }},
    {"gelu", [](const Tensor& x) { return torch::gelu(x); }},
    {"glu", [](const Tensor& x) { return torch::glu(x, -1); }},
    {"hard_shrink", [](const Tensor& x) { return torch::hardshrink(x, 0.5); }},
    {"hard_sigmoid", [](const Tensor& x) { return torch::hardsigmoid(x); }},
    {"hard_silu", [](const Tensor& x) { return torch::hardswish(x); }},
    {"hard_swish", [](const Tensor& x) { return torch::hardswish(x); }},
    {"hard_tanh", [](const Tensor& x) { return torch::hardtanh(x, -1, 1); }},
    {"leaky_relu", [](const Tensor& x) { return torch::leaky_relu(x, 0.2); }},
    {"linear", [](const Tensor& x) { return x; }},
    {"log_sigmoid", [](const Tensor& x) { return torch::log_sigmoid(x); }},
    {"log_softmax", [](const Tensor& x) { return torch::log_softmax(x, -1); }},
    {"mish", [](const Tensor& x) { return x * torch::tanh(torch::softplus(x)); }},
    {"relu", [](const Tensor& x) { return torch::relu(x); }},
    {"relu6", [](const Tensor& x) { return torch::relu6(x); }},
    {"selu", [](const Tensor& x) { return torch::selu(x); }},
    {"sigmoid", [](const Tensor& x) { return torch::sigmoid(x); }},
    {"silu", [](const Tensor& x) { return torch::silu(x); }},
    {"soft_shrink", [](const Tensor& x) { return torch::softshrink(x, 0.5); }},
    {"softmax", [](const Tensor& x) { return torch::softmax(x, -1); }},
    {"softplus", [](const Tensor& x) { return torch::softplus(x); }},
    {"softsign", [](const Tensor& x) { return x / (x.abs() + 1); }},
    {"sparse_plus", sparse_plus},
    {"sparse_sigmoid", sparse_sigmoid},
    {"sparsemax", sparsemax},
    {"squareplus", [](const Tensor& x) { return (x + torch::sqrt(x.pow(2) + 4)) / 2; }},
    {"swish", [](const Tensor& x) { return torch::silu(x); }},
    {"tanh", [](const Tensor& x) { return torch::tanh(x); }},
    {"tanh_shrink", [](const Tensor& x) { return x - torch::tanh(x); }},
};

}  // namespace

TorchFunction keras_activation(std::string_view name) {
  const auto found = kActivations.find(name);
  if (found == kActivations.end()) throw Unsupported("activation \"" + std::string(name) + "\" is not known");
  return found->second;
}

}  // namespace h5bridge
