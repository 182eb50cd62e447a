#include "facets/libtorch/functional.h"
#include "facets/libtorch/layer.h"
#include "facets/spec/axes.h"
#include "layers/activation/activation.h"

namespace h5bridge::activation {
namespace {

using namespace torch::nn;
using torch::Tensor;

template <typename Module>
TorchInstance plain(const Layer&) {
  return unary_module(Module());
}

// A module whose one option is a number.
template <typename Module, typename Options>
auto with_number(const char* attribute) {
  return [attribute](const Layer& layer) { return unary_module(Module(Options(layer.attributes.number(attribute)))); };
}

// A module that works along one axis.
template <typename Module>
TorchInstance over_axis(const Layer& layer) {
  return unary_module(Module(layer.attributes.integer("dim")));
}

template <Tensor (*function)(const Tensor&)>
TorchInstance function_alone(const Layer&) {
  return unary(function);
}

Tensor hardsigmoid(const Tensor& x) { return torch::hardsigmoid(x); }
Tensor hardswish(const Tensor& x) { return torch::hardswish(x); }

// Keras's ReLU with a slope below the threshold and a limit. Source: keras/src/activations/activations.py.
Tensor general_relu(const Tensor& x, double slope, double threshold, std::optional<double> limit) {
  if (slope != 0 && threshold == 0 && !limit) return torch::leaky_relu(x, slope);
  Tensor result = threshold == 0 ? torch::relu(x) : torch::where(x > threshold, x, torch::zeros_like(x));
  if (limit) result = torch::clamp(result, 0, *limit);
  return slope == 0 ? result : result - slope * torch::relu(threshold - x);
}

TorchInstance build_relu(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const double slope = a.number("negative_slope");
  const double threshold = a.number("threshold");
  const std::optional<double> limit = a.is_none("max_value") ? std::nullopt : std::optional(a.number("max_value"));
  if (slope == 0 && threshold == 0 && !limit) return unary_module(ReLU());
  return unary([=](const Tensor& x) { return general_relu(x, slope, threshold, limit); });
}

TorchInstance build_prelu(const Layer& layer) {
  const Attributes& a = layer.attributes;
  if (!a.is_none("weight_shape")) {
    const PReLU holder(PReLUOptions().num_parameters(element_count(a.integers("weight_shape"))).init(a.number("init")));
    return unary(holder.ptr(),
                 [holder](const Tensor& x) { return torch::_prelu_kernel(x, holder->weight.unsqueeze(0)); });
  }
  const PReLU module(PReLUOptions().num_parameters(a.integer("num_parameters")).init(a.number("init")));
  if (a.integer("num_parameters") == 1) return unary_module(module);
  return unary(module.ptr(), in_data_format(a, module_call(module)));
}

TorchInstance build_gelu(const Layer& layer) {
  return unary_module(GELU(GELUOptions().approximate(layer.attributes.text("approximate"))));
}

TorchInstance build_hardtanh(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary_module(Hardtanh(HardtanhOptions().min_val(a.number("min_val")).max_val(a.number("max_val"))));
}

TorchInstance build_softplus(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary_module(Softplus(SoftplusOptions().beta(a.number("beta")).threshold(a.number("threshold"))));
}

TorchInstance build_elu(const Layer& layer) {
  return unary_module(ELU(ELUOptions().alpha(layer.attributes.number("alpha"))));
}
TorchInstance build_celu(const Layer& layer) {
  return unary_module(CELU(CELUOptions().alpha(layer.attributes.number("alpha"))));
}
TorchInstance build_leaky_relu(const Layer& layer) {
  return unary_module(LeakyReLU(LeakyReLUOptions().negative_slope(layer.attributes.number("negative_slope"))));
}

TorchInstance build_threshold(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary([threshold = scalar_of(a.at("threshold")), value = scalar_of(a.at("value"))](const Tensor& x) {
    return torch::threshold(x, threshold, value);
  });
}

TorchInstance build_rrelu(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary_module(RReLU(RReLUOptions().lower(a.number("lower")).upper(a.number("upper"))));
}

TorchInstance build_glu(const Layer& layer) { return unary_module(GLU(GLUOptions(layer.attributes.integer("dim")))); }

TorchInstance build_squareplus(const Layer& layer) {
  return unary([b = layer.attributes.number("b")](const Tensor& x) { return (x + torch::sqrt(x.pow(2) + b)) / 2; });
}

Tensor sparse_plus(const Tensor& x) {
  return torch::where(x <= -1, torch::zeros_like(x), torch::where(x < 1, 0.25 * (x + 1).pow(2), x));
}

Tensor sparse_sigmoid(const Tensor& x) {
  return torch::where(x <= -1, torch::zeros_like(x), torch::where(x >= 1, torch::ones_like(x), 0.5 * (x + 1)));
}

// As Keras has it on every backend: its threshold adds up all the partial sums of the support, where the projection
// onto the simplex takes the last, so that the result need not sum to one. Source: keras/src/backend/torch/nn.py.
Tensor sparsemax(const Tensor& x, std::int64_t axis) {
  const Tensor sorted = std::get<0>(x.sort(axis, /*descending=*/true));
  const Tensor sums = sorted.cumsum(axis);
  std::vector<std::int64_t> along(x.dim(), 1);
  along.at(axis < 0 ? axis + x.dim() : axis) = -1;
  const Tensor ranks = torch::arange(1, x.size(axis) + 1, x.options()).view(along);
  const Tensor support = sorted - (sums - 1) / ranks > 0;
  const Tensor count = support.sum(axis, /*keepdim=*/true);
  const Tensor threshold =
      (torch::where(support, sums, torch::zeros_like(sums)).sum(axis, /*keepdim=*/true) - 1) / count;
  return torch::clamp_min(x - threshold, 0);
}

TorchInstance build_sparsemax(const Layer& layer) {
  return unary([axis = layer.attributes.integer("dim")](const Tensor& x) { return sparsemax(x, axis); });
}

TorchInstance build_softmax_over_axes(const Layer& layer) {
  return unary([axes = layer.attributes.integers("dim")](const Tensor& x) {
    return torch::exp(x - torch::logsumexp(x, axes, true));
  });
}

// What each is called where LibTorch joins it with what comes before, by oneDNN.
// Source: aten/src/ATen/native/mkldnn/Utils.cpp, fusion_unary_attr_map.
template <Tensor& (*in_place)(Tensor&)>
auto joined(const char* name) {
  return [name](const Layer&, const torch::nn::Module*) -> plan::Operation {
    return plan::Activation{name, {}, "", [](Tensor& x) { in_place(x); }};
  };
}

plan::Operation joined_hardtanh(double low, double high) {
  return plan::Activation{"hardtanh", {low, high}, "", [=](Tensor& x) { torch::hardtanh_(x, low, high); }};
}

plan::Operation joined_leaky_relu(double slope) {
  return plan::Activation{"leaky_relu", {slope}, "", [=](Tensor& x) { torch::leaky_relu_(x, slope); }};
}

plan::Operation joined_relu(const Layer& layer, const torch::nn::Module*) {
  const Attributes& a = layer.attributes;
  const double slope = a.number("negative_slope");
  if (a.number("threshold") != 0 || (slope != 0 && !a.is_none("max_value"))) return plan::Opaque{};
  if (slope != 0) return joined_leaky_relu(slope);
  if (!a.is_none("max_value")) return joined_hardtanh(0, a.number("max_value"));
  return plan::Activation{"relu", {}, "", [](Tensor& x) { torch::relu_(x); }};
}

plan::Operation joined_gelu(const Layer& layer, const torch::nn::Module*) {
  const std::string& approximate = layer.attributes.text("approximate");
  return plan::Activation{"gelu", {}, approximate, [approximate](Tensor& x) { at::gelu_(x, approximate); }};
}

// What Keras's mask hides is a large negative number before the softmax, and nothing behind it.
TorchInstance with_mask(TorchInstance instance) {
  instance.forward = [forward = instance.forward](const TorchCall& call) {
    const Tensor mask = call.input("mask");
    if (!mask.defined()) return forward(call);
    const Tensor& x = call.inputs.at(0);
    const double hidden = x.scalar_type() == torch::kFloat16 ? -3e4 : -1e9;
    const Tensor shown = mask.scalar_type() == torch::kBool ? mask : mask > 0.5;
    return TorchValues{torch::where(shown, forward({{torch::where(shown, x, hidden)}}).at(0), 0)};
  };
  return instance;
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      {"ReLU", build_relu, joined_relu},
      {"ReLU6", plain<ReLU6>, [](const Layer&, const torch::nn::Module*) { return joined_hardtanh(0, 6); }},
      {"LeakyReLU", build_leaky_relu,
       [](const Layer& layer, const torch::nn::Module*) {
         return joined_leaky_relu(layer.attributes.number("negative_slope"));
       }},
      {"PReLU", build_prelu},
      {"prelu",
       [](const Layer& layer) {
         return function_of_operands(prelu_function(), layer.attributes,
                                     [](const Operands& x) { return torch::prelu(x[0], x[1]); });
       }},
      {"ELU", build_elu},
      {"SELU", plain<SELU>},
      {"CELU", build_celu},
      {"GELU", build_gelu, joined_gelu},
      {"SiLU", plain<SiLU>, joined<torch::silu_>("swish")},
      {"Mish", plain<Mish>},
      {"Sigmoid", plain<Sigmoid>, joined<torch::sigmoid_>("sigmoid")},
      {"LogSigmoid", plain<LogSigmoid>},
      {"Hardsigmoid", function_alone<hardsigmoid>, joined<torch::hardsigmoid_>("hardsigmoid")},
      {"Hardswish", function_alone<hardswish>, joined<torch::hardswish_>("hardswish")},
      {"Tanh", plain<Tanh>, joined<torch::tanh_>("tanh")},
      {"Hardtanh", build_hardtanh,
       [](const Layer& layer, const torch::nn::Module*) {
         return joined_hardtanh(layer.attributes.number("min_val"), layer.attributes.number("max_val"));
       }},
      {"Tanhshrink", plain<Tanhshrink>},
      {"Softplus", build_softplus},
      {"Softsign", plain<Softsign>},
      {"Softshrink", with_number<Softshrink, SoftshrinkOptions>("lambd")},
      {"Hardshrink", with_number<Hardshrink, HardshrinkOptions>("lambd")},
      {"Identity", plain<Identity>,
       [](const Layer&, const torch::nn::Module*) -> plan::Operation { return plan::Identity{}; }},
      {"Threshold", build_threshold},
      {"RReLU", build_rrelu},
      {"Squareplus", build_squareplus},
      {"SparsePlus", function_alone<sparse_plus>},
      {"SparseSigmoid", function_alone<sparse_sigmoid>},
      {"Sparsemax", build_sparsemax},
      {"GLU", build_glu},
      {"Softmax2d", plain<Softmax2d>},
      {"SoftmaxOverAxes", [](const Layer& layer) { return with_mask(build_softmax_over_axes(layer)); }},
      {"Softmin", over_axis<Softmin>},
      {"Softmax", [](const Layer& layer) { return with_mask(over_axis<Softmax>(layer)); }},
      {"LogSoftmax", over_axis<LogSoftmax>},
  };
}

}  // namespace h5bridge::activation
