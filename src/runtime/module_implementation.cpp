#include "runtime/module_implementation.h"

#include <algorithm>
#include <set>

#include "h5bridge/error.h"
#include "runtime/families.h"
#include "runtime/torch_error.h"

namespace h5bridge {
namespace {

Instances build_all(const Architecture& architecture) {
  Instances result;
  for (const Layer& layer : architecture.layers) result.emplace_back(&layer, build_layer(layer));
  return result;
}

// Neither tensors nor optimizer slots: they would keep memory and files.
Model skeleton_of(const Model& model) {
  const std::set<std::string> held = tensor_names(*model.architecture);
  Model result = model;
  result.weights = {};
  for (const auto& [name, tensor] : model.weights) result.weights.add(name, held.contains(name) ? Tensor() : tensor);
  if (result.training && result.training->optimizer) result.training->optimizer->slots.clear();
  return result;
}

bool is_identity(const std::vector<std::int64_t>& axes) { return std::ranges::is_sorted(axes); }

// presented = kept.permute(axes), read the other way.
torch::Tensor kept_from(const torch::Tensor& presented, const std::vector<std::int64_t>& axes) {
  std::vector<std::int64_t> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) inverse[axes[i]] = static_cast<std::int64_t>(i);
  return presented.permute(inverse).contiguous();
}

}  // namespace

Module::Implementation::Implementation(const Model& source, Framework shown)
    : model(skeleton_of(source)),
      layout(shown),
      presentation(presentation_of(model, layout)),
      instances(build_all(*model.architecture)),
      program(*model.architecture, instances) {}

TorchValues Module::Implementation::run(const TorchValues& inputs) const {
  if (inputs.size() != presentation.inputs.size())
    throw UsageError("the model takes " + std::to_string(presentation.inputs.size()) + " inputs, but got " +
                     std::to_string(inputs.size()));
  TorchValues kept = inputs;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const Presentation::Port& port = presentation.inputs[i];
    if (!is_identity(port.axes))
      kept[i] = torch_call("input \"" + port.name + "\"", [&] { return kept_from(inputs[i], port.axes); });
  }
  TorchValues outputs = program.run(std::move(kept), observer);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (const auto& axes = presentation.outputs[i].axes; !is_identity(axes)) outputs[i] = outputs[i].permute(axes);
  return outputs;
}

std::unique_ptr<Module::Implementation> Module::Implementation::clone(
    const std::optional<torch::Device>& device) const {
  const torch::NoGradGuard no_grad;
  auto result = std::make_unique<Implementation>(model, layout);
  const auto originals = tensors_of(instances);
  const auto copies = tensors_of(result->instances);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const torch::Tensor& original = originals[i].second;
    torch::Tensor copy = copies[i].second;
    copy.set_data(original.detach().clone().to(device.value_or(original.device())));
    copy.requires_grad_(original.requires_grad());
  }
  return result;
}

}  // namespace h5bridge
