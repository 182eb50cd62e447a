#include "layers/torch_layer.h"

namespace h5bridge::normalization {
namespace {

// Keras may have a weight without a bias and the reverse; LibTorch's module has both or neither.
template <typename Implementation>
class PartlyAffine : public Implementation {
 public:
  PartlyAffine(const torch::nn::BatchNormOptions& settings, bool scale, bool center) : Implementation(settings) {
    if (!scale) remove("weight", this->weight);
    if (!center) remove("bias", this->bias);
  }

 private:
  void remove(const std::string& name, torch::Tensor& parameter) {
    this->parameters_.erase(name);
    parameter.reset();
  }
};

template <typename Implementation>
std::shared_ptr<Implementation> make_module(const Attributes& a) {
  torch::nn::BatchNormOptions options(a.integer("num_features"));
  options.eps(a.number("eps")).affine(a.boolean("affine")).track_running_stats(a.boolean("track_running_stats"));
  options.momentum(a.is_none("momentum") ? std::nullopt : std::optional(a.number("momentum")));
  const bool scale = a.boolean("scale");
  const bool center = a.boolean("center");
  if (!options.affine() || (scale && center)) return std::make_shared<Implementation>(options);
  return std::make_shared<PartlyAffine<Implementation>>(options, scale, center);
}

// Keras's frozen batch normalisation keeps to its running statistics in training, too.
bool is_frozen(const Layer& layer) {
  const Json* trainable = layer.keras.find("trainable");
  return trainable && trainable->is_bool() && !trainable->as_bool();
}

template <typename Implementation>
TorchInstance build(const Layer& layer) {
  const auto module = make_module<Implementation>(layer.attributes);
  TorchFunction forward = [module, frozen = is_frozen(layer)](const torch::Tensor& input) {
    if (frozen) module->eval();
    return module->forward(input);
  };
  return unary(module, in_data_format(layer.attributes, std::move(forward)));
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"BatchNorm1d", build<torch::nn::BatchNorm1dImpl>},
          {"BatchNorm2d", build<torch::nn::BatchNorm2dImpl>},
          {"BatchNorm3d", build<torch::nn::BatchNorm3dImpl>}};
}

}  // namespace h5bridge::normalization
