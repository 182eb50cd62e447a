#include "keras/planned_layer.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "keras/print_tree.h"

namespace h5bridge {
namespace {

// Who takes the outputs of each layer; "" stands for the model.
using Takers = std::map<std::string, std::set<std::string>, std::less<>>;

Takers takers_in(const std::vector<KerasLayer>& layers, const std::vector<KerasTensor>& outputs) {
  Takers result;
  for (const KerasLayer& layer : layers)
    for (const KerasCall& call : layer.calls)
      for (const KerasTensor& tensor : call.tensors()) result[tensor.layer].insert(layer.name);
  for (const KerasTensor& output : outputs) result[output.layer].insert("");
  return result;
}

// Whether every call of `activation` takes the like call of `host`, whose outputs nothing else takes.
bool can_fuse(const KerasLayer& activation, const KerasLayer& host, const Takers& takers) {
  const Json* own = host.config.find("activation");
  if (!own || *own != Json("linear") || activation.is_operation() || activation.calls.size() != host.calls.size())
    return false;
  for (std::size_t i = 0; i < activation.calls.size(); ++i) {
    const std::vector<KerasTensor> inputs = activation.calls[i].tensors();
    if (inputs.size() != 1 || inputs[0].layer != host.name || inputs[0].call != static_cast<std::int64_t>(i))
      return false;
  }
  const auto found = takers.find(host.name);
  return found == takers.end() || found->second == std::set{activation.name};
}

}  // namespace

KerasLayer input_layer(const std::string& name, const std::string& keras_name, const Input& input,
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

std::vector<std::pair<std::string, std::string>> fuse_activations(std::vector<KerasLayer>& layers,
                                                                  const std::vector<KerasTensor>& outputs) {
  std::vector<std::pair<std::string, std::string>> fused;
  std::map<std::string_view, KerasLayer*> by_name;
  for (KerasLayer& layer : layers)
    if (!layer.name.empty()) by_name.emplace(layer.name, &layer);
  const Takers takers = takers_in(layers, outputs);
  for (const KerasLayer& activation : layers) {
    const auto found = by_name.find(activation.fused_into);
    if (found == by_name.end() || !can_fuse(activation, *found->second, takers)) continue;
    Json::Object config = activation.config;
    if (!activation.fused_as.empty()) config.set("name", activation.fused_as);
    found->second->config.set("activation", Json::Object{{"module", activation.module},
                                                         {"class_name", activation.class_name},
                                                         {"config", std::move(config)},
                                                         {"registered_name", nullptr}});
    fused.emplace_back(activation.name, found->second->name);
  }
  const std::map<std::string, std::string> hosts(fused.begin(), fused.end());
  std::erase_if(layers, [&](const KerasLayer& layer) { return hosts.contains(layer.name); });
  for (KerasLayer& layer : layers)
    for (KerasCall& call : layer.calls)
      KerasCall::for_each_tensor(call, [&](KerasTensor& tensor) {
        if (const auto host = hosts.find(tensor.layer); host != hosts.end()) tensor.layer = host->second;
      });
  return fused;
}

}  // namespace h5bridge
