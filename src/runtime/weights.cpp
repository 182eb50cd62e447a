#include "runtime/weights.h"

#include <stdexcept>

#include "facets/libtorch/tensors.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "passes/frozen.h"

namespace h5bridge {
namespace {

std::vector<ParameterSpec> parameters_of(const Layer& layer) {
  return Registry::instance().type_of(layer).parameters(layer.attributes);
}

std::string full_name(const Layer& layer, const ParameterSpec& parameter) {
  return tensor_name(layer.name, parameter.name);
}

// Undefined where the module lists it no more: its layer has another one's parameter (runtime/shared_parameters.h).
torch::Tensor tensor_in(const torch::nn::Module& module, const ParameterSpec& wanted) {
  const auto tensors = wanted.role == Role::Parameter ? module.named_parameters() : module.named_buffers();
  const torch::Tensor* found = tensors.find(wanted.name.empty() ? kOwnTensor : wanted.name);
  return found ? *found : torch::Tensor();
}

/// Calls `visit(name, tensor)` for every parameter and buffer that a module lists, once for one that several have.
template <typename Visit>
void for_each_tensor(const Instances& instances, Visit&& visit) {
  std::set<std::string> visited;
  for_each_held(instances,
                [&](const Layer& layer, const TorchInstance&, const ParameterSpec& spec, const torch::Tensor& tensor) {
                  if (const std::string name = full_name(layer, spec); visited.insert(name).second) visit(name, tensor);
                });
}

using TensorSet = std::set<const c10::TensorImpl*>;

// A tensor that nobody loaded has the numbers that it was made with.
void check_loaded(const Instances& instances, const TensorSet& loaded) {
  for (const auto& [layer, instance] : instances) {
    if (!instance.module) continue;
    for (const auto& tensors : {instance.module->named_parameters(), instance.module->named_buffers()})
      for (const auto& tensor : tensors)
        if (tensor.value().defined() && !loaded.contains(tensor.value().unsafeGetTensorImpl()))
          throw std::logic_error(describe(*layer) + ": nothing loads its tensor \"" + tensor.key() + "\"");
  }
}

}  // namespace

void for_each_held(const Instances& instances, const HeldVisitor& visit) {
  for (const auto& [layer, instance] : instances)
    for (const ParameterSpec& wanted : parameters_of(*layer))
      if (const torch::Tensor tensor = tensor_in(*instance.module, wanted); tensor.defined())
        visit(*layer, instance, wanted, tensor);
}

std::set<std::string> tensor_names(const Architecture& architecture) {
  std::set<std::string> result;
  for (const Layer& layer : architecture.layers)
    for (const ParameterSpec& wanted : parameters_of(layer)) result.insert(full_name(layer, wanted));
  return result;
}

std::vector<std::pair<std::string, torch::Tensor>> tensors_of(const Instances& instances) {
  std::vector<std::pair<std::string, torch::Tensor>> result;
  for_each_tensor(instances,
                  [&](const std::string& name, const torch::Tensor& tensor) { result.emplace_back(name, tensor); });
  return result;
}

std::map<std::string, bool> requires_grad_of(const Instances& instances) {
  std::set<std::string> parameters;
  for (const auto& [layer, instance] : instances)
    for (std::string& name : parameter_names(*layer)) parameters.insert(std::move(name));
  std::map<std::string, bool> result;
  for (const auto& [name, tensor] : tensors_of(instances))
    if (parameters.contains(name)) result[name] = tensor.requires_grad();
  return result;
}

void load_weights(const Instances& instances, const Weights& weights, const std::map<std::string, bool>& trainable,
                  torch::Device device) {
  const torch::NoGradGuard no_grad;
  TensorSet loaded;
  std::set<std::string> missing;
  for (const auto& [layer, instance] : instances)
    for (const ParameterSpec& wanted : parameters_of(*layer)) missing.insert(full_name(*layer, wanted));
  for_each_tensor(instances, [&](const std::string& name, const torch::Tensor& tensor) {
    missing.erase(name);
    loaded.insert(tensor.unsafeGetTensorImpl());
    tensor.set_data(to_torch(*weights.find(name), device));
    if (const auto said = trainable.find(name); said != trainable.end() && !said->second) tensor.requires_grad_(false);
  });
  if (!missing.empty()) throw std::logic_error("no LibTorch module has the tensor \"" + *missing.begin() + "\"");
  check_loaded(instances, loaded);
}

}  // namespace h5bridge
