// The LibTorch facet of a layer type: what runs it. A family's libtorch.cpp makes these; nothing else links LibTorch
// but src/runtime/, where the functions declared here are defined.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "facets/libtorch/operation.h"
#include "h5bridge/architecture.h"

namespace h5bridge {

using TorchModulePtr = std::shared_ptr<torch::nn::Module>;
using TorchValues = std::vector<torch::Tensor>;
using TorchFunction = std::function<torch::Tensor(const torch::Tensor&)>;
/// What the symbols of the architecture's sizes stand for in one call of the model.
using Symbols = std::map<std::string, std::int64_t>;

/// What one call of a layer is given.
struct TorchCall {
  TorchValues inputs = {};                                       // in order
  std::map<std::string, torch::Tensor, std::less<>> named = {};  // by the names of the type's operands
  Attributes attributes = {};                                    // what this call has in place of the layer's own
  Symbols symbols = {};
  torch::Device device = torch::kCPU;  // where the model computes, for what makes tensors of numbers alone

  /// The one of this name; undefined where the call leaves it out.
  torch::Tensor input(std::string_view name) const;
  /// Whether the attribute `name` is on in this call of a layer that has `of_layer`.
  bool is_on(std::string_view name, const Attributes& of_layer) const;
};

class KeptStates;

/// A layer that can be called. Its tensors and its mode are in `module`, so that to(), train(), eval() reach them.
struct TorchInstance {
  TorchModulePtr module;  // nullptr for a function without parameters, whether or not it trains
  std::function<TorchValues(const TorchCall&)> forward;
  bool is_tensor = false;  // the layer is a tensor of its parent's; `module` just holds it, as kOwnTensor
  std::shared_ptr<KeptStates> kept = {};  // of a layer that keeps something of a call for its next one
};

/// What the tensor of a layer that is one is called in its instance's module.
inline constexpr const char* kOwnTensor = "value";

struct TorchLayer {
  std::string type;  // a name in the registry
  /// Makes an instance. Parameters and buffers get their tensors afterwards (runtime/weights.h): they need the right
  /// names here, but neither their values nor, where that saves memory and time, their sizes.
  std::function<TorchInstance(const Layer&)> build;
  /// What an instance computes in evaluation mode, where the inference plan has words for it. Its tensors are those of
  /// `module`, which is the instance's.
  std::function<plan::Operation(const Layer&, const torch::nn::Module* module)> operation{};
};

/// An attribute that is a number, as PyTorch takes it.
torch::Scalar scalar_of(const AttributeValue& value);
/// What a size comes to in this call. Throws UsageError where the inputs do not tell.
std::int64_t known_size(const Size& size, const Symbols& symbols);

/// An instance with one input and one output.
TorchInstance unary(TorchModulePtr module, TorchFunction forward);
/// One without a module.
TorchInstance unary(TorchFunction forward);
/// A function of several inputs.
TorchInstance function_of_all(std::function<torch::Tensor(const TorchValues&)> function);

/// What calls a module of LibTorch's: module_call(torch::nn::ReLU()).
template <typename Holder>
TorchFunction module_call(Holder module) {
  return [module = std::move(module)](const torch::Tensor& input) mutable { return module->forward(input); };
}
template <typename Holder>
TorchInstance unary_module(const Holder& module) {
  return unary(module.ptr(), module_call(module));
}

/// `forward`, which wants its channels on axis 1, for an input laid out as the attribute data_format says. Axes are
/// moved as views.
TorchFunction in_data_format(const Attributes& attributes, TorchFunction forward);

/// `forward`, which only chooses among its input's elements, and which LibTorch does not have for integers: these go
/// through it in float64, which has all of those of up to 32 bits.
TorchFunction of_integers_too(TorchFunction forward);

/// A function of keras.activations by its name, with the arguments that Keras has where only a name is given. Throws
/// Unsupported for a name that Keras lacks.
TorchFunction keras_activation(std::string_view name);

/// `forward` followed by the attribute `activation`. Throws Unsupported for a name that keras.activations lacks.
TorchFunction with_activation(const Attributes& attributes, TorchFunction forward);

}  // namespace h5bridge
