#include "runtime/module_implementation.h"

#include <algorithm>
#include <map>
#include <set>

#include "facets/libtorch/kept_states.h"
#include "facets/libtorch/registry.h"
#include "facets/libtorch/tensors.h"
#include "h5bridge/error.h"
#include "model/promotion.h"
#include "passes/input_check.h"
#include "runtime/device.h"
#include "runtime/open_layer.h"
#include "runtime/torch_error.h"

namespace h5bridge {
namespace {

Instances build_all(const Architecture& architecture) {
  Instances result;
  const std::set<std::string> told_by_calls = layers_told_by_calls(architecture);
  for (const Layer& layer : architecture.layers)
    result.emplace_back(&layer, told_by_calls.contains(layer.name) ? build_open_layer(layer) : build_layer(layer));
  return result;
}

// Neither the module's tensors nor their optimizer slots: they would keep memory and files.
Model skeleton_of(const Model& model) {
  const std::set<std::string> held = tensor_names(*model.architecture);
  Model result = model;
  result.weights = {};
  for (const auto& [name, tensor] : model.weights)
    result.weights.add(name, held.contains(name) ? Tensor(tensor.dtype(), {0}, bytes_in_memory({})) : tensor);
  if (result.training && result.training->optimizer)
    std::erase_if(result.training->optimizer->slots, [&](const auto& slots) { return held.contains(slots.first); });
  return result;
}

bool is_identity(const std::vector<std::int64_t>& axes) { return std::ranges::is_sorted(axes); }

// presented = kept.permute(axes), read the other way.
torch::Tensor kept_from(const torch::Tensor& presented, const std::vector<std::int64_t>& axes) {
  std::vector<std::int64_t> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) inverse[axes[i]] = static_cast<std::int64_t>(i);
  return presented.permute(inverse).contiguous();
}

// The one device that all of the tensors are on, and the one type that those of floating-point numbers have.
struct Common {
  std::set<std::string> devices;
  std::set<torch::ScalarType> types;
};

Common common_of(const Instances& instances) {
  Common result;
  for (const auto& [name, tensor] : tensors_of(instances)) {
    result.devices.insert(tensor.device().str());
    if (tensor.is_floating_point()) result.types.insert(tensor.scalar_type());
  }
  return result;
}

torch::ScalarType type_taken(const Presentation::Port& port, const Common& common) {
  const bool of_the_weights = is_floating_point(port.dtype) && common.types.size() == 1;
  return of_the_weights ? *common.types.begin() : scalar_type_of(port.dtype);
}

// One tensor's device stands for all, until an input has another.
std::optional<torch::Device> some_device(const Instances& instances) {
  for (const auto& [layer, instance] : instances) {
    if (!instance.module) continue;
    for (const torch::Tensor& parameter : instance.module->parameters()) return parameter.device();
    for (const torch::Tensor& buffer : instance.module->buffers()) return buffer.device();
  }
  return std::nullopt;
}

// LibTorch takes either where it takes one.
bool is_index(torch::ScalarType type) { return type == torch::kInt32 || type == torch::kInt64; }

std::string word_for(torch::ScalarType type) { return std::string(name_of(dtype_of(type))); }

}  // namespace

Module::Implementation::Implementation(const Model& source, Framework shown)
    : model(skeleton_of(source)),
      layout(shown),
      presentation(presentation_of(model, layout)),
      instances(build_all(*model.architecture)),
      program(*model.architecture, instances),
      ties(tie_same_names(instances)) {}

void Module::Implementation::check(const TorchValues& inputs) const {
  const std::vector<Presentation::Port>& ports = presentation.inputs;
  if (inputs.size() != ports.size())
    throw UsageError("the model takes " + std::to_string(ports.size()) + " input" + (ports.size() == 1 ? "" : "s") +
                     " (" + listed(ports) + "), but got " + std::to_string(inputs.size()));
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) throw UsageError("input \"" + ports[i].name + "\" is an undefined tensor");
    shapes.push_back(inputs[i].sizes().vec());
  }
  check_shapes(ports, shapes);
  // Keras looks things up by floats, too.
  if (model.framework == Framework::Torch)
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (is_integral(ports[i].dtype) && inputs[i].is_floating_point())
        throw UsageError("input \"" + ports[i].name + "\" has dtype " + word_for(inputs[i].scalar_type()) +
                         ", expected " + std::string(name_of(ports[i].dtype)));
  const auto device = some_device(instances);
  const bool elsewhere = device && std::ranges::any_of(inputs, [&](const torch::Tensor& input) {
                           return input.dim() > 0 && input.device() != *device;
                         });
  if (const std::string wrong = elsewhere ? wrong_devices(inputs) : ""; !wrong.empty()) throw UsageError(wrong);
}

std::string Module::Implementation::wrong_devices(const TorchValues& inputs) const {
  const Common common = common_of(instances);
  if (common.devices.size() != 1) return "";
  std::string result;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (const std::string device = inputs[i].device().str(); !common.devices.contains(device))
      result += (result.empty() ? "input \"" : "; input \"") + presentation.inputs[i].name + "\" is on " + device +
                ", expected " + *common.devices.begin();
  return result;
}

// What may be why a layer refuses its operands: asked for when one does, since LibTorch computes with much that mixes.
std::string Module::Implementation::wrong_types(const TorchValues& inputs) const {
  const Common common = common_of(instances);
  std::string result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Presentation::Port& port = presentation.inputs[i];
    const torch::ScalarType type = inputs[i].scalar_type();
    const torch::ScalarType expected = type_taken(port, common);
    if (type != expected && !(is_index(type) && is_index(expected)))
      result += "input \"" + port.name + "\" has dtype " + word_for(type) + ", expected " + word_for(expected) + ": ";
  }
  return result;
}

TorchValues Module::Implementation::kept(const TorchValues& inputs) const {
  TorchValues result = inputs;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const Presentation::Port& port = presentation.inputs[i];
    if (!is_identity(port.axes))
      result[i] = torch_call("input \"" + port.name + "\"", [&] { return kept_from(inputs[i], port.axes); });
  }
  return result;
}

TorchValues Module::Implementation::presented(TorchValues outputs) const {
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (const auto& axes = presentation.outputs[i].axes; !is_identity(axes)) outputs[i] = outputs[i].permute(axes);
  return outputs;
}

TorchValues Module::Implementation::in_order(const std::map<std::string, torch::Tensor>& inputs) const {
  const std::vector<Presentation::Port>& ports = presentation.inputs;
  for (const auto& [name, tensor] : inputs)
    if (std::ranges::find(ports, name, &Presentation::Port::name) == ports.end())
      throw UsageError("the model has no input \"" + name + "\", only " + listed(ports));
  TorchValues result;
  for (const Presentation::Port& port : ports) {
    const auto found = inputs.find(port.name);
    if (found == inputs.end())
      throw UsageError("input \"" + port.name + "\" is missing, expected shape " + to_string(port.shape));
    result.push_back(found->second);
  }
  return result;
}

std::map<std::string, torch::Tensor> Module::Implementation::by_name(const TorchValues& outputs) const {
  std::map<std::string, torch::Tensor> result;
  for (std::size_t i = 0; i < outputs.size(); ++i) result.emplace(presentation.outputs[i].name, outputs[i]);
  return result;
}

TorchValues Module::Implementation::run(const TorchValues& inputs, const Observer& observing) const {
  check(inputs);
  for (Tie& tie : ties) tie.renew();
  for (const auto& [module, in_tree] : stand_ins) module->train(in_tree->is_training());
  try {
    return presented(program.run(kept(inputs), observing));
  } catch (const Error& error) {
    const bool refused = error.status() == ExitStatus::Usage || error.status() == ExitStatus::Unsupported;
    const std::string wrong = refused ? wrong_types(inputs) : "";
    if (wrong.empty()) throw;
    throw UsageError(wrong + error.what());
  }
}

std::unique_ptr<Module::Implementation> Module::Implementation::alias() const {
  const torch::NoGradGuard no_grad;
  auto result = std::make_unique<Implementation>(model, layout);
  std::map<std::string, torch::Tensor> originals;
  for (const auto& [name, tensor] : tensors_of(instances)) originals.emplace(name, tensor);
  for (const Tie& tie : ties) originals.emplace(tie.own_name(), originals.at(tie.shared_name()));
  for (const auto& [name, tensor] : tensors_of(result->instances)) tensor.set_data(originals.at(name).detach());
  return result;
}

std::unique_ptr<Module::Implementation> Module::Implementation::clone(
    const std::optional<torch::Device>& device) const {
  const torch::NoGradGuard no_grad;
  if (device) check_device(*device);
  auto result = std::make_unique<Implementation>(model, layout);
  std::map<std::string, torch::Tensor> copies;
  for (const auto& [name, tensor] : tensors_of(result->instances)) copies.emplace(name, tensor);
  for (const auto& [name, original] : tensors_of(instances)) {
    torch::Tensor& copy = copies.at(name);
    copy.set_data(original.detach().clone().to(device.value_or(original.device())));
    copy.requires_grad_(original.requires_grad());
  }
  for (std::size_t i = 0; i < instances.size(); ++i)
    if (const auto& kept = instances[i].second.kept) result->instances[i].second.kept->copy(*kept, device);
  return result;
}

}  // namespace h5bridge
