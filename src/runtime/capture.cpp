#include <algorithm>
#include <set>

#include "facets/libtorch/tensors.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"
#include "passes/registration_order.h"
#include "runtime/capture_optimizer.h"
#include "runtime/module_implementation.h"
#include "runtime/torch_error.h"

namespace h5bridge {
namespace {

bool same_parameters(const Optimizer& a, const Optimizer& b) {
  return std::ranges::equal(a.groups, b.groups, [](const Json::Object& one, const Json::Object& other) {
    return one.contains("params") && one.at("params") == other.at("params");
  });
}

// Wherever a model says which parameters are trained: frozen and thawed ones alike.
void set_trained(Model& model, const std::map<std::string, bool>& requires_grad) {
  for (const auto& [name, trained] : requires_grad) model.trainable[name] = trained;
  std::vector<std::string>& frozen = model.architecture->frozen;
  std::erase_if(frozen,
                [&](const std::string& name) { return requires_grad.contains(name) && requires_grad.at(name); });
  for (const auto& [name, trained] : requires_grad)
    if (!trained && std::ranges::find(frozen, name) == frozen.end()) frozen.push_back(name);
  thaw(*model.architecture, requires_grad);
}

// (further name, name) of the same tensors.
std::vector<std::pair<std::string, std::string>> further_names(const Module::Implementation& implementation) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const Tie& tie : implementation.ties) result.emplace_back(tie.own_name(), tie.shared_name());
  const auto& aliases = implementation.model.architecture->aliases;
  result.insert(result.end(), aliases.begin(), aliases.end());
  return result;
}

Model captured(const Module::Implementation& implementation) {
  Model result = implementation.model;
  std::set<std::string> counters;
  for (const NamedParameter& parameter : parameters_of(*result.architecture))
    if (parameter.spec.dtype == DType::Int64) counters.insert(parameter.name);
  // module.to(dtype) makes floats of counters, too.
  for (const auto& [name, tensor] : tensors_of(implementation.instances))
    result.weights.set(name, from_torch(counters.contains(name) ? tensor.to(torch::kInt64) : tensor));
  std::map<std::string, bool> requires_grad = requires_grad_of(implementation.instances);
  for (const auto& [other, name] : further_names(implementation)) {
    const Tensor* tensor = result.weights.find(name);
    if (tensor && result.weights.find(other)) result.weights.set(other, Tensor(*tensor));
    if (const auto known = requires_grad.find(name); known != requires_grad.end()) requires_grad[other] = known->second;
  }
  set_trained(result, requires_grad);
  result.format = "torch";
  if (result.reference) {
    result.reference.reset();
    result.notes.push_back(
        "left out: the reference inputs and outputs, which are those of the weights that were loaded");
  }
  // Where training stood is known no more; how the model was compiled is.
  if (result.training) {
    std::optional<Json> compile = std::move(result.training->compile);
    result.training.emplace().compile = std::move(compile);
  }
  return result;
}

}  // namespace

Model capture(const Module& module) {
  return with_torch_errors([&] { return captured(*module.implementation_); });
}

Model capture(const Module& module, const torch::optim::Optimizer& optimizer, const Progress& progress) {
  const auto& source = module.implementation_->model.training;
  return with_torch_errors([&] {
    Model result = captured(*module.implementation_);
    if (!result.training) result.training.emplace();
    result.training->epoch = progress.epoch;
    result.training->loss = progress.loss;
    const Optimizer* saved = source && source->optimizer ? &*source->optimizer : nullptr;
    result.training->optimizer = capture_optimizer(module, optimizer, saved);
    // An optimizer of the caller's own lists parameters as the module has them, in the order of calls.
    if (!saved || !same_parameters(*saved, *result.training->optimizer))
      number_as_registered(*result.training->optimizer, result, Listed::Given);
    return result;
  });
}

}  // namespace h5bridge
