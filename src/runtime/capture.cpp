#include <algorithm>

#include "convert/optimizer_names.h"
#include "runtime/capture_optimizer.h"
#include "runtime/module_implementation.h"
#include "runtime/tensors.h"

namespace h5bridge {
namespace {

bool same_parameters(const Optimizer& a, const Optimizer& b) {
  return std::ranges::equal(a.groups, b.groups, [](const Json::Object& one, const Json::Object& other) {
    return one.contains("params") && one.at("params") == other.at("params");
  });
}

}  // namespace

Model capture(const Module& module) {
  const Module::Implementation& implementation = *module.implementation_;
  Model result = implementation.model;
  for (const auto& [name, tensor] : tensors_of(implementation.instances)) {
    result.weights.set(name, from_torch(tensor));
    if (tensor.requires_grad() || result.trainable.contains(name)) result.trainable[name] = tensor.requires_grad();
  }
  result.format = "torch";
  // Where training stood is known no more; how the model was compiled is.
  if (result.training) {
    std::optional<Json> compile = std::move(result.training->compile);
    result.training.emplace().compile = std::move(compile);
  }
  return result;
}

Model capture(const Module& module, const torch::optim::Optimizer& optimizer, const Progress& progress) {
  const auto& source = module.implementation_->model.training;
  Model result = capture(module);
  if (!result.training) result.training.emplace();
  result.training->epoch = progress.epoch;
  result.training->loss = progress.loss;
  const Optimizer* saved = source && source->optimizer ? &*source->optimizer : nullptr;
  result.training->optimizer = capture_optimizer(module, optimizer, saved);
  // An optimizer of the caller's own lists parameters as the module has them, in the order of calls.
  if (!saved || !same_parameters(*saved, *result.training->optimizer))
    number_as_registered(*result.training->optimizer, result);
  return result;
}

}  // namespace h5bridge
