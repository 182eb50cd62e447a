#include "runtime/capture_optimizer.h"
#include "runtime/module_implementation.h"
#include "runtime/tensors.h"

namespace h5bridge {

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
  result.training->optimizer =
      capture_optimizer(module, optimizer, source && source->optimizer ? &*source->optimizer : nullptr);
  return result;
}

}  // namespace h5bridge
