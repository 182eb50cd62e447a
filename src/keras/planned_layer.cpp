#include "keras/planned_layer.h"

#include <algorithm>

namespace h5bridge {
namespace {

// Whether every call of `activation` takes the like call of `host`, whose outputs nothing else takes.
bool can_fuse(const PlannedLayer& activation, const PlannedLayer& host, const std::vector<PlannedLayer>& layers,
              const std::vector<KerasTensor>& outputs) {
  const Json* own = host.config.find("activation");
  if (!own || *own != Json("linear") || activation.is_operation() || activation.calls.size() != host.calls.size())
    return false;
  for (std::size_t i = 0; i < activation.calls.size(); ++i) {
    const std::vector<KerasTensor> inputs = activation.calls[i].tensors();
    if (inputs.size() != 1 || inputs[0].layer != host.name || inputs[0].call != static_cast<std::int64_t>(i))
      return false;
  }
  const auto takes_host = [&](const PlannedLayer& layer) {
    return layer.name != activation.name && std::ranges::any_of(layer.calls, [&](const PlannedCall& call) {
             const std::vector<KerasTensor> tensors = call.tensors();
             return std::ranges::find(tensors, host.name, &KerasTensor::layer) != tensors.end();
           });
  };
  return std::ranges::none_of(layers, takes_host) &&
         std::ranges::find(outputs, host.name, &KerasTensor::layer) == outputs.end();
}

}  // namespace

Json shape_config(const SymbolicShape& shape) {
  Json::Array result;
  for (const Size& size : shape) result.push_back(size.value() ? Json(*size.value()) : Json());
  return result;
}

PlannedLayer input_layer(const std::string& name, const std::string& keras_name, const Input& input,
                         const SymbolicShape& shape, const KerasModelOrigin& model) {
  return {.name = name,
          .module = "keras.layers",
          .class_name = "InputLayer",
          .config = {{"batch_shape", shape_config(shape)},
                     {"dtype", name_of(input.dtype)},
                     {"sparse", false},
                     {"ragged", false},
                     {"name", keras_name},
                     {"optional", std::ranges::count(model.optional_inputs, input.name) > 0}},
          .calls = {},
          .keras_name = keras_name};
}

std::vector<KerasTensor> PlannedCall::tensors() const {
  std::vector<KerasTensor> result;
  for_each_tensor(*this, [&](const KerasTensor& tensor) { result.push_back(tensor); });
  return result;
}

std::vector<std::pair<std::string, std::string>> fuse_activations(std::vector<PlannedLayer>& layers,
                                                                  const std::vector<KerasTensor>& outputs) {
  std::vector<std::pair<std::string, std::string>> fused;
  for (const PlannedLayer& activation : layers) {
    const auto host = std::ranges::find(layers, activation.fused_into, &PlannedLayer::name);
    if (activation.fused_into.empty() || host == layers.end() || !can_fuse(activation, *host, layers, outputs))
      continue;
    Json::Object config = activation.config;
    if (!activation.fused_as.empty()) config.set("name", activation.fused_as);
    host->config.set("activation", Json::Object{{"module", activation.module},
                                                {"class_name", activation.class_name},
                                                {"config", std::move(config)},
                                                {"registered_name", nullptr}});
    fused.emplace_back(activation.name, host->name);
  }
  for (const auto& [activation, host] : fused) {
    std::erase_if(layers, [&](const PlannedLayer& layer) { return layer.name == activation; });
    for (PlannedLayer& layer : layers)
      for (PlannedCall& call : layer.calls)
        PlannedCall::for_each_tensor(call, [&](KerasTensor& tensor) {
          if (tensor.layer == activation) tensor.layer = host;
        });
  }
  return fused;
}

}  // namespace h5bridge
