#include "runtime/weights.h"

#include <optional>
#include <stdexcept>

#include "h5bridge/error.h"
#include "layers/registry.h"
#include "runtime/tensors.h"

namespace h5bridge {
namespace {

constexpr std::size_t kMostNamed = 10;

std::optional<std::string> misfit(const std::string& name, const ParameterSpec& wanted, const Tensor* found) {
  const std::string expected = ", expected shape " + to_string(wanted.shape);
  if (!found) return "\"" + name + "\" is missing" + expected;
  if (found->shape() != wanted.shape) return "\"" + name + "\" has shape " + to_string(found->shape()) + expected;
  const bool real = is_floating_point(found->dtype());
  if (is_floating_point(wanted.dtype) != real)
    return "\"" + name + "\" has dtype " + std::string(name_of(found->dtype())) + ", expected " +
           (real ? std::string(name_of(wanted.dtype)) : "a floating-point one");
  return std::nullopt;
}

std::string joined(const std::vector<std::string>& faults) {
  std::string result;
  for (std::size_t i = 0; i < faults.size() && i < kMostNamed; ++i) result += (i ? "; " : "") + faults[i];
  if (faults.size() > kMostNamed) result += "; and " + std::to_string(faults.size() - kMostNamed) + " more";
  return result;
}

std::vector<ParameterSpec> parameters_of(const Layer& layer) {
  return Registry::instance().type_of(layer).parameters(layer.attributes);
}

std::string full_name(const Layer& layer, const ParameterSpec& parameter) {
  return tensor_name(layer.name, parameter.name);
}

const torch::Tensor& tensor_in(const torch::nn::Module& module, const ParameterSpec& wanted, const Layer& layer) {
  const auto tensors = wanted.role == Role::Parameter ? module.named_parameters() : module.named_buffers();
  if (const torch::Tensor* found = tensors.find(wanted.name.empty() ? kOwnTensor : wanted.name)) return *found;
  throw std::logic_error("the LibTorch facet of " + layer.type + " lacks \"" + wanted.name + "\"");
}

/// Calls `visit(name, tensor)` for every parameter and buffer, once for one that several layers have.
template <typename Visit>
void for_each_tensor(const Instances& instances, Visit&& visit) {
  std::set<std::string> visited;
  for (const auto& [layer, instance] : instances)
    for (const ParameterSpec& wanted : parameters_of(*layer))
      if (const std::string name = full_name(*layer, wanted); visited.insert(name).second)
        visit(name, torch::Tensor(tensor_in(*instance.module, wanted, *layer)));
}

}  // namespace

void check_weights(const Architecture& architecture, const Weights& weights) {
  std::vector<std::string> faults;
  for (const Layer& layer : architecture.layers)
    for (const ParameterSpec& wanted : parameters_of(layer)) {
      const std::string name = full_name(layer, wanted);
      if (const auto fault = misfit(name, wanted, weights.find(name))) faults.push_back(*fault);
    }
  if (!faults.empty()) throw MalformedFile("the weights do not fit the architecture: " + joined(faults));
}

std::set<std::string> tensor_names(const Architecture& architecture) {
  std::set<std::string> result;
  for (const Layer& layer : architecture.layers)
    for (const ParameterSpec& wanted : parameters_of(layer)) result.insert(full_name(layer, wanted));
  return result;
}

std::vector<std::pair<std::string, torch::Tensor>> tensors_of(const Instances& instances) {
  std::vector<std::pair<std::string, torch::Tensor>> result;
  for_each_tensor(instances, [&](std::string name, torch::Tensor tensor) {
    result.emplace_back(std::move(name), std::move(tensor));
  });
  return result;
}

void load_weights(const Instances& instances, const Weights& weights, const std::map<std::string, bool>& trainable,
                  torch::Device device) {
  const torch::NoGradGuard no_grad;
  for_each_tensor(instances, [&](const std::string& name, torch::Tensor tensor) {
    tensor.set_data(to_torch(*weights.find(name), device));
    if (const auto said = trainable.find(name); said != trainable.end() && !said->second) tensor.requires_grad_(false);
  });
}

}  // namespace h5bridge
