#include <cmath>

#include "facets/libtorch/layer.h"
#include "facets/spec/layer_type.h"

namespace h5bridge::dropout {
namespace {

using torch::Tensor;

template <typename Dropout>
TorchInstance build(const Layer& layer) {
  return unary_module(Dropout(layer.attributes.number("p")));
}

template <typename Dropout>
TorchInstance build_spatial(const Layer& layer) {
  const Dropout module(layer.attributes.number("p"));
  return unary(module.ptr(), in_data_format(layer.attributes, module_call(module)));
}

// What LibTorch has no module for: `noisy` in training.
class NoiseImpl : public torch::nn::Module {};

TorchInstance in_training(TorchFunction noisy) {
  const auto module = std::make_shared<NoiseImpl>();
  return unary(module, [module, noisy = std::move(noisy)](const Tensor& input) {
    return module->is_training() ? noisy(input) : input;
  });
}

TorchInstance dropout1d(const Layer& layer) {
  return in_training(in_data_format(layer.attributes, [p = layer.attributes.number("p")](const Tensor& input) {
    return torch::feature_dropout(input, p, true);
  }));
}

// 0 where something is dropped, 1 elsewhere, in the shape that Keras's layer names.
Tensor kept(const Tensor& input, double p, std::vector<std::int64_t> shape) {
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] == kNone) shape[i] = input.size(static_cast<std::int64_t>(i));
  return torch::empty(shape, input.options()).bernoulli_(1 - p);
}

template <typename Dropout>
TorchInstance with_noise_shape(const Layer& layer,
                               Tensor (*dropped)(const Tensor& input, const Tensor& kept, double p)) {
  const Attributes& a = layer.attributes;
  if (a.is_none("noise_shape")) return build<Dropout>(layer);
  return in_training([p = a.number("p"), shape = a.integers("noise_shape"), dropped](const Tensor& input) {
    return dropped(input, kept(input, p, shape), p);
  });
}

TorchInstance dropout(const Layer& layer) {
  return with_noise_shape<torch::nn::Dropout>(layer, [](const Tensor& input, const Tensor& kept, double p) {
    return p == 1 ? input * 0 : input * kept / (1 - p);
  });
}

// Source: keras/src/layers/regularization/alpha_dropout.py.
TorchInstance alpha_dropout(const Layer& layer) {
  return with_noise_shape<torch::nn::AlphaDropout>(layer, [](const Tensor& input, const Tensor& kept, double p) {
    const double lowest = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946;
    const double scale = 1 / std::sqrt((1 - p) * (1 + p * lowest * lowest));
    return scale * (input * kept + lowest * (1 - kept)) - scale * lowest * p;
  });
}

TorchInstance gaussian_dropout(const Layer& layer) {
  const double rate = layer.attributes.number("rate");
  return in_training([deviation = std::sqrt(rate / (1 - rate))](const Tensor& input) {
    return input * (1 + deviation * torch::randn_like(input));
  });
}

TorchInstance gaussian_noise(const Layer& layer) {
  return in_training([deviation = layer.attributes.number("stddev")](const Tensor& input) {
    return input + deviation * torch::randn_like(input);
  });
}

TorchInstance identity(const Layer&) {
  return unary([](const Tensor& input) { return input; });
}

// In evaluation mode.
plan::Operation nothing(const Layer&, const torch::nn::Module*) { return plan::Identity{}; }

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      {"Dropout", dropout, nothing},
      {"Dropout1d", dropout1d, nothing},
      {"Dropout2d", build_spatial<torch::nn::Dropout2d>, nothing},
      {"Dropout3d", build_spatial<torch::nn::Dropout3d>, nothing},
      {"AlphaDropout", alpha_dropout, nothing},
      {"FeatureAlphaDropout", build_spatial<torch::nn::FeatureAlphaDropout>, nothing},
      {"GaussianDropout", gaussian_dropout, nothing},
      {"GaussianNoise", gaussian_noise, nothing},
      {"ActivityRegularization", identity, nothing},
  };
}

}  // namespace h5bridge::dropout
