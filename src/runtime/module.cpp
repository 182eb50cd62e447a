#include <algorithm>

#include "h5bridge/error.h"
#include "passes/weight_check.h"
#include "runtime/device.h"
#include "runtime/module_implementation.h"
#include "runtime/module_tree.h"
#include "runtime/torch_error.h"

namespace h5bridge {
namespace {

std::vector<std::string> names_of(const std::vector<Presentation::Port>& ports) {
  std::vector<std::string> result;
  for (const Presentation::Port& port : ports) result.push_back(port.name);
  return result;
}

}  // namespace

Module::Module(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {
  plant(*this, implementation_->instances);
}

Module::~Module() = default;

torch::Tensor Module::forward(const torch::Tensor& input) { return forward(std::vector{input}).at(0); }

std::vector<torch::Tensor> Module::forward(const std::vector<torch::Tensor>& inputs) {
  return implementation_->run(inputs);
}

std::map<std::string, torch::Tensor> Module::forward(const std::map<std::string, torch::Tensor>& inputs) {
  const std::vector<std::string> names = input_names();
  TorchValues ordered;
  for (const std::string& name : names) {
    const auto found = inputs.find(name);
    if (found == inputs.end()) throw UsageError("input \"" + name + "\" is missing");
    ordered.push_back(found->second);
  }
  for (const auto& [name, tensor] : inputs)
    if (std::ranges::find(names, name) == names.end()) throw UsageError("the model has no input \"" + name + "\"");
  const TorchValues outputs = forward(ordered);
  std::map<std::string, torch::Tensor> result;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    result.emplace(implementation_->presentation.outputs[i].name, outputs[i]);
  return result;
}

std::shared_ptr<torch::nn::Module> Module::clone(const std::optional<torch::Device>& device) const {
  auto result = std::make_shared<Module>(implementation_->clone(device));
  // Parents come before their children, so that a child's own mode is set last.
  const auto originals = modules();
  const auto copies = result->modules();
  for (std::size_t i = 0; i < copies.size(); ++i) copies[i]->train(originals[i]->is_training());
  return result;
}

std::vector<std::string> Module::input_names() const { return names_of(implementation_->presentation.inputs); }
std::vector<std::string> Module::output_names() const { return names_of(implementation_->presentation.outputs); }
const Architecture& Module::architecture() const { return *implementation_->model.architecture; }
void Module::observe(Observer observer) { implementation_->observer = std::move(observer); }

std::shared_ptr<Module> to_module(const Model& model, torch::Device device, const ModuleOptions& options) {
  check_device(device);
  if (!model.architecture) throw UsageError("the model has no architecture, only weights");
  check_fit(*model.architecture, model.weights);
  auto implementation = std::make_unique<Module::Implementation>(model, options.layout.value_or(model.framework));
  torch_call("loading the weights",
             [&] { load_weights(implementation->instances, model.weights, model.trainable, device); });
  return std::make_shared<Module>(std::move(implementation));
}

}  // namespace h5bridge
