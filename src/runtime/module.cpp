#include "facets/libtorch/kept_states.h"
#include "h5bridge/error.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"
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

// What a source says of the weights themselves counts before what the architecture was exported with.
std::map<std::string, bool> trained_in(const Model& model) {
  std::map<std::string, bool> result = model.trainable;
  for (const std::string& name : frozen_parameters(*model.architecture)) result.emplace(name, false);
  return result;
}

}  // namespace

Module::Module(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {
  implementation_->stand_ins = plant(*this, implementation_->instances);
  // Those of several names come first: what has one name takes what that name then has.
  const std::vector<Tie> named = tie_parameters(*this, implementation_->model.architecture->ties);
  std::vector<Tie>& ties = implementation_->ties;
  ties.insert(ties.begin(), named.begin(), named.end());
}

Module::~Module() = default;

torch::Tensor Module::forward(const torch::Tensor& input) {
  const std::vector<torch::Tensor> outputs = forward(std::vector{input});
  if (outputs.empty()) throw UsageError("the model has no output");
  return outputs.front();
}

std::vector<torch::Tensor> Module::forward(const std::vector<torch::Tensor>& inputs) {
  return with_torch_errors([&] { return implementation_->run(inputs); });
}

std::map<std::string, torch::Tensor> Module::forward(const std::map<std::string, torch::Tensor>& inputs) {
  return implementation_->by_name(forward(implementation_->in_order(inputs)));
}

std::shared_ptr<torch::nn::Module> Module::clone(const std::optional<torch::Device>& device) const {
  auto result = with_torch_errors([&] { return std::make_shared<Module>(implementation_->clone(device)); });
  // Parents come before their children, so that a child's own mode is set last.
  const auto originals = modules();
  const auto copies = result->modules();
  for (std::size_t i = 0; i < copies.size(); ++i) copies[i]->train(originals[i]->is_training());
  return result;
}

template <typename Move>
void Module::moved(Move&& move) {
  with_torch_errors([&] {
    move();
    for (Tie& tie : implementation_->ties) tie.renew();
  });
}

void Module::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  moved([&] {
    check_device(device);
    torch::nn::Module::to(device, dtype, non_blocking);
  });
}

void Module::to(torch::Dtype dtype, bool non_blocking) {
  moved([&] { torch::nn::Module::to(dtype, non_blocking); });
}

void Module::to(torch::Device device, bool non_blocking) {
  moved([&] {
    check_device(device);
    torch::nn::Module::to(device, non_blocking);
  });
}

void Module::reset_states() {
  for (const auto& [layer, instance] : implementation_->instances)
    if (instance.kept) instance.kept->keep({});
}

std::vector<SymbolicShape> Module::input_shapes() const {
  std::vector<SymbolicShape> result;
  for (const Presentation::Port& port : implementation_->presentation.inputs) result.push_back(port.shape);
  return result;
}

std::vector<std::string> Module::input_names() const { return names_of(implementation_->presentation.inputs); }
std::vector<std::string> Module::output_names() const { return names_of(implementation_->presentation.outputs); }
const Architecture& Module::architecture() const { return *implementation_->model.architecture; }

void Module::observe(Observer observer) {
  implementation_->observer = {};
  if (!observer) return;
  implementation_->observer = [own = std::move(observer)](const std::string& node, const TorchValues& outputs) {
    try {
      own(node, outputs);
    } catch (...) {
      throw ThrownByCaller{std::current_exception()};
    }
  };
}

std::shared_ptr<Module> to_module(const Model& given, torch::Device device, const ModuleOptions& options) {
  return with_torch_errors([&] {
    check_device(device);
    if (!given.architecture) throw UsageError("the model has no architecture, only weights");
    Model model = given;
    model.architecture = with_all_attributes(*given.architecture);
    check_fit(*model.architecture, model.weights);
    check_names(model);
    auto implementation = std::make_unique<Module::Implementation>(model, options.layout.value_or(model.framework));
    torch_call("loading the weights",
               [&] { load_weights(implementation->instances, model.weights, trained_in(model), device); });
    return std::make_shared<Module>(std::move(implementation));
  });
}

}  // namespace h5bridge
