#include "facets/libtorch/layer.h"
#include "facets/spec/layer_type.h"

namespace h5bridge::preprocessing {
namespace {

using torch::Tensor;

// `values` along some axes of `input`; one by itself is for all.
Tensor along(const Tensor& values, const std::vector<std::int64_t>& axes, const Tensor& input) {
  if (values.numel() == 1) return values.reshape({});
  std::vector<std::int64_t> shape(input.dim(), 1);
  for (const std::int64_t axis : axes) shape[resolve_axis(axis, input.dim())] = input.size(axis);
  return values.reshape(shape);
}

Tensor constants(const std::vector<double>& values, const Tensor& input) {
  return torch::tensor(values, torch::kFloat64).to(input.options().dtype(at::result_type(input, 1.0)));
}

TorchInstance rescaling(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary(
      [scale = a.numbers("scale"), offset = a.numbers("offset"), axis = a.integer("axis")](const Tensor& input) {
        return input * along(constants(scale, input), {axis}, input) + along(constants(offset, input), {axis}, input);
      });
}

class NormalizationImpl : public torch::nn::Module {
 public:
  explicit NormalizationImpl(const std::vector<std::int64_t>& sizes) {
    mean = register_buffer("mean", torch::zeros(sizes));
    variance = register_buffer("variance", torch::ones(sizes));
    register_buffer("count", torch::zeros({}, torch::kInt32));
  }
  Tensor mean;
  Tensor variance;
};

TorchInstance normalization(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const auto apply = [axes = a.integers("axes"), invert = a.boolean("invert")](const Tensor& input, const Tensor& means,
                                                                               const Tensor& variances) {
    const Tensor mean = along(means, axes, input);
    const Tensor deviation = along(variances, axes, input).sqrt().clamp_min(1e-7);  // Keras's epsilon()
    return invert ? mean + input * deviation : (input - mean) / deviation;
  };
  if (!a.is_none("mean"))
    return unary([apply, mean = a.numbers("mean"), variance = a.numbers("variance")](const Tensor& input) {
      return apply(input, constants(mean, input), constants(variance, input));
    });
  const auto module = std::make_shared<NormalizationImpl>(a.integers("sizes"));
  return unary(module, [module, apply](const Tensor& input) { return apply(input, module->mean, module->variance); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"Rescaling", rescaling}, {"Normalization", normalization}}; }

}  // namespace h5bridge::preprocessing
