#include "facets/libtorch/affine.h"
#include "facets/libtorch/functional.h"
#include "facets/libtorch/layer.h"
#include "h5bridge/error.h"
#include "layers/batch_normalization/function.h"

namespace h5bridge::batch_normalization {
namespace {

// LibTorch's modules have a weight and a bias or neither; PyTorch's and Keras's may have one of them.
template <typename Implementation>
class PartlyAffine : public Implementation {
 public:
  PartlyAffine(const decltype(Implementation::options)& settings, const Affine& affine) : Implementation(settings) {
    if (!affine.weight) remove("weight", this->weight);
    if (!affine.bias) remove("bias", this->bias);
  }

 private:
  void remove(const std::string& name, torch::Tensor& parameter) {
    this->parameters_.erase(name);
    parameter.reset();
  }
};

// LibTorch has none; in one process it is batch normalisation of an input with any axes.
class SyncBatchNormImpl : public torch::nn::BatchNormImplBase<0, SyncBatchNormImpl> {
 public:
  using BatchNormImplBase::BatchNormImplBase;

 protected:
  void _check_input_dim(const torch::Tensor&) override {}
};

void set_momentum(torch::nn::BatchNormOptions& options, const Attributes& a) {
  options.momentum(a.is_none("momentum") ? std::nullopt : std::optional(a.number("momentum")));
}
void set_momentum(torch::nn::InstanceNormOptions& options, const Attributes& a) {
  options.momentum(a.is_none("momentum") ? 0 : a.number("momentum"));
}

template <typename Implementation>
std::shared_ptr<Implementation> make_module(const Attributes& a) {
  const Affine affine = affine_of(a);
  decltype(Implementation::options) options(a.integer("num_features"));
  options.eps(a.number("eps"))
      .affine(affine.weight || affine.bias)
      .track_running_stats(a.boolean("track_running_stats"));
  set_momentum(options, a);
  if (affine.weight == affine.bias) return std::make_shared<Implementation>(options);
  return std::make_shared<PartlyAffine<Implementation>>(options, affine);
}

// Keras's frozen batch normalisation keeps to its running statistics in training, too.
bool is_frozen(const Layer& layer) { return layer.keras.trainable == false; }

template <typename Implementation>
TorchInstance build(const Layer& layer) {
  const auto module = make_module<Implementation>(layer.attributes);
  const bool renorm = layer.attributes.contains("renorm") && layer.attributes.boolean("renorm");
  if (renorm)
    for (const char* name : {"moving_stddev", "renorm_mean", "renorm_stddev"})
      module->register_buffer(name, torch::ones({layer.attributes.integer("num_features")}));
  TorchFunction forward = [module, renorm, frozen = is_frozen(layer)](const torch::Tensor& input) {
    if (frozen) module->eval();
    if (renorm && module->is_training()) throw Unsupported("batch renormalisation cannot be trained here");
    return module->forward(input);
  };
  TorchInstance instance = unary(module, over_normalised_axis(layer.attributes, std::move(forward)));
  instance.forward = [module, frozen = is_frozen(layer), forward = instance.forward](const TorchCall& call) {
    if (call.input("mask").defined() && module->is_training() && !frozen)
      throw Unsupported("batch normalisation with a mask cannot be trained here");
    return forward(call);
  };
  return instance;
}

// As it is with the running statistics; in float64, since what it is joined with is multiplied by it.
template <typename Implementation>
plan::Operation operation(const Layer& layer, const torch::nn::Module* module) {
  const Attributes& a = layer.attributes;
  const auto& own = dynamic_cast<const Implementation&>(*module);
  const bool on_last_axis = has_axis(a) ? a.integer("axis") == -1 : a.text("data_format") == "channels_last";
  const bool on_axis_1 = has_axis(a) ? a.integer("axis") == 1 : !on_last_axis;
  if (!a.boolean("track_running_stats") || !(on_last_axis || on_axis_1)) return plan::Opaque{};
  torch::Tensor scale = (own.running_var.detach().to(torch::kDouble) + a.number("eps")).rsqrt();
  if (own.weight.defined()) scale = scale * own.weight.detach();
  torch::Tensor shift = -own.running_mean.detach() * scale;
  if (own.bias.defined()) shift = shift + own.bias.detach();
  return plan::ChannelAffine{scale, shift, on_last_axis};
}

// What ATen takes behind the input: weight, bias and the running statistics, whether these of the input are used,
// momentum and eps.
using Normalise = torch::Tensor (*)(const torch::Tensor&, const std::optional<torch::Tensor>&,
                                    const std::optional<torch::Tensor>&, const std::optional<torch::Tensor>&,
                                    const std::optional<torch::Tensor>&, bool, double, double, bool);

TorchLayer build_function(const std::string& name, Normalise normalise) {
  return {name, [=](const Layer& layer) {
            const Attributes& a = layer.attributes;
            return function_of_operands(
                function(name), a,
                [normalise, momentum = a.number("momentum"), eps = a.number("eps")](const Operands& x) {
                  const bool own = !x[1].defined();
                  return normalise(x[0], given(x[3]), given(x[4]), given(x[1]), given(x[2]), own, momentum, eps,
                                   at::globalContext().userEnabledCuDNN());
                });
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  using namespace torch::nn;
  return {
      build_function("batch_norm", torch::batch_norm),
      build_function("instance_norm", torch::instance_norm),
      {"BatchNorm1d", build<BatchNorm1dImpl>, operation<BatchNorm1dImpl>},
      {"BatchNorm2d", build<BatchNorm2dImpl>, operation<BatchNorm2dImpl>},
      {"BatchNorm3d", build<BatchNorm3dImpl>, operation<BatchNorm3dImpl>},
      {"SyncBatchNorm", build<SyncBatchNormImpl>, operation<SyncBatchNormImpl>},
      {"InstanceNorm1d", build<InstanceNorm1dImpl>},
      {"InstanceNorm2d", build<InstanceNorm2dImpl>},
      {"InstanceNorm3d", build<InstanceNorm3dImpl>},
  };
}

}  // namespace h5bridge::batch_normalization
