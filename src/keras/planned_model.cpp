#include "keras/planned_model.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "keras/layer_order.h"
#include "keras/print_tree.h"
#include "keras/wrappers.h"

namespace h5bridge {
namespace {

// The numbers that are nested, as Keras walks through them: a dict by its sorted keys.
void walk(const Json& numbers, std::vector<std::size_t>& order) {
  if (numbers.is_integer()) return order.push_back(static_cast<std::size_t>(numbers.as_integer()));
  if (numbers.is_array())
    for (const Json& element : numbers.as_array()) walk(element, order);
  if (!numbers.is_object()) return;
  std::map<std::string_view, const Json*> members;
  for (const auto& [key, member] : numbers.as_object()) members.emplace(key, &member);
  for (const auto& [key, member] : members) walk(*member, order);
}

std::vector<KerasLayer> in_keras_order(std::vector<KerasLayer> layers, std::vector<KerasTensor> outputs) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < layers.size(); ++i) index[layers[i].name] = i;
  const auto call_of = [&](const KerasTensor& tensor) {
    return KerasCallId{index.at(tensor.layer), static_cast<std::size_t>(tensor.call)};
  };
  KerasGraph graph(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (const KerasCall& call : layers[i].calls) {
      auto& inputs = graph[i].emplace_back();
      std::ranges::transform(call.tensors(), std::back_inserter(inputs), call_of);
    }
    if (layers[i].calls.empty()) graph[i].emplace_back();  // an input
  }
  std::vector<KerasCallId> calls;
  std::ranges::transform(outputs, std::back_inserter(calls), call_of);
  std::vector<KerasLayer> ordered;
  for (const std::size_t i : keras_order(graph, calls)) ordered.push_back(std::move(layers[i]));
  return ordered;
}

// A wrapper has its layers in its own order.
void put_wrapped_last(KerasModel& wrapper) {
  std::vector<std::string> order;
  for (const KerasLayer* wrapped : wrapped_layers(wrapper)) order.push_back(wrapped->name);
  std::ranges::stable_sort(wrapper.layers, {}, [&](const KerasLayer& layer) {
    const auto place = std::ranges::find(order, layer.name);
    return place == order.end() ? -1 : place - order.begin();
  });
}

}  // namespace

std::string variable_path(const std::vector<const KerasModel*>& within) {
  std::string path;
  for (const KerasModel* model : within)
    if (is_wrapper(model->said))
      path += model->name + "/";
    else
      path = model->is_sequential() ? model->said.variable_path.value_or(model->name) + "/" : "";
  return path;
}

void settle(KerasModel& model) {
  std::vector<Json> numbers;
  for (std::size_t i = 0; i < model.outputs.size(); ++i) numbers.emplace_back(i);
  std::vector<std::size_t> order;
  walk(nested(numbers, model.output_names, model.said.output_layers), order);
  std::vector<KerasTensor> walked;
  for (const std::size_t i : order) walked.push_back(model.outputs[i]);
  model.layers = in_keras_order(std::move(model.layers), std::move(walked));
  if (is_wrapper(model.said)) put_wrapped_last(model);
  std::set<std::string> names;
  for (KerasLayer& layer : model.layers) {
    const auto taken = [&](const std::string& wanted) { return names.contains(wanted); };
    layer.keras_name = unique_name(layer.keras_name, taken);
    names.insert(layer.keras_name);
    if (!layer.model) continue;
    layer.model->name = layer.keras_name;
    settle(*layer.model);
  }
}

}  // namespace h5bridge
