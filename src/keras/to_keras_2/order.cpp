#include "keras/to_keras_2/order.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "h5bridge/error.h"
#include "keras/inner_layers.h"
#include "keras/layer_order.h"
#include "keras/to_keras_2/calls.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

const std::string& called(const Json& layer) { return layer.at("config").at("name").as_string(); }
bool is_of_layers(const Json& layer) { return is_model_class(layer.at("class_name").as_string()); }

// The layers of a model of Keras 2's as numbers.
class Graph {
 public:
  explicit Graph(const Json& config) : layers_(config.at("layers").as_array()) {
    for (std::size_t i = 0; i < layers_.size(); ++i) index_[called(layers_[i])] = i;
    KerasGraph graph;
    for (const Json& layer : layers_) {
      auto& calls = graph.emplace_back();
      for (const Json& node : layer.at("inbound_nodes").as_array()) calls.push_back(inputs_of(node));
      if (calls.empty()) calls.emplace_back();  // an input
    }
    std::vector<KerasCallId> outputs;
    add_places(config.at("output_layers"), outputs);
    for (const std::size_t i : keras_order(graph, outputs)) order_.push_back(called(layers_[i]));
  }

  std::vector<std::string> order() && { return std::move(order_); }

 private:
  bool is_place(const Json::Array& value) const {
    return value.size() >= 3 && value[0].is_string() && value[1].is_integer() && index_.contains(value[0].as_string());
  }

  // Models count their calls from 1, as their making is one.
  void add_places(const Json& value, std::vector<KerasCallId>& calls) const {
    if (value.is_object()) {
      std::map<std::string_view, const Json*> members;  // as Keras walks through them
      for (const auto& [key, member] : value.as_object()) members.emplace(key, &member);
      for (const auto& [key, member] : members) add_places(*member, calls);
    }
    if (!value.is_array()) return;
    const Json::Array& parts = value.as_array();
    if (!is_place(parts)) {
      for (const Json& part : parts) add_places(part, calls);
      return;
    }
    const std::size_t layer = index_.at(parts[0].as_string());
    calls.push_back({layer, static_cast<std::size_t>(parts[1].as_integer() - (is_of_layers(layers_[layer]) ? 1 : 0))});
  }

  // The tensors of a call, then those among its arguments by name.
  std::vector<KerasCallId> inputs_of(const Json& node) const {
    std::vector<KerasCallId> calls;
    add_places(node, calls);
    for (const Json* one = &node; one->is_array() && !one->as_array().empty(); one = &one->as_array().front()) {
      const Json& last = one->as_array().back();
      if (last.is_object()) add_places(last, calls);
    }
    return calls;
  }

  const Json::Array& layers_;
  std::map<std::string, std::size_t> index_;
  std::vector<std::string> order_;
};

std::vector<std::string> names_in(const Json& model) {
  std::vector<std::string> names;
  for (const Json& layer : model.at("config").at("layers").as_array()) names.push_back(called(layer));
  return names;
}

const Json* find_layer(const Json& model, const std::string& name) {
  for (const Json& layer : model.at("config").at("layers").as_array())
    if (called(layer) == name) return &layer;
  return nullptr;
}

// The model that a layer is, or wraps.
const Json* model_in(const Json& layer) { return is_of_layers(layer) ? &layer : wrapped_model(layer); }

bool is_graph(const Json& model) { return model.at("class_name") != Json("Sequential"); }

// What of `names` is in `known`, in order.
std::vector<std::string> among(const std::vector<std::string>& names, const std::vector<std::string>& known) {
  const std::set<std::string_view> all(known.begin(), known.end());
  std::vector<std::string> result;
  std::ranges::copy_if(names, std::back_inserter(result), [&](const std::string& name) { return all.contains(name); });
  return result;
}

void refuse_changed(const Json& layer, const Json& before) {
  const Json *model = model_in(layer), *earlier = model_in(before);
  if (!model || !earlier || !model->at("config").is_object()) return;
  for (const Json& inner : model->at("config").at("layers").as_array())
    if (const Json* same = find_layer(*earlier, called(inner))) refuse_changed(inner, *same);
  if (!is_graph(*model)) return;
  const std::vector<std::string> old = names_in(*earlier);
  if (const auto now = among(Graph(model->at("config")).order(), old); now != among(old, now))
    throw Unsupported("the layers of " + quoted(layer.at("config").at("name")) +
                      " have another order in Keras 2, which needs more of them, and their weights with them");
}

}  // namespace

void order_layers(const Json& model, const Json& before, std::vector<KerasLayerWeights>& layers) {
  if (!is_graph(model)) return;
  for (const Json& layer : model.at("config").at("layers").as_array())
    if (const Json* same = find_layer(before, called(layer))) refuse_changed(layer, *same);
  std::map<std::string, std::size_t> places;
  for (const std::string& name : Graph(model.at("config")).order()) places.emplace(name, places.size());
  std::ranges::stable_sort(layers, {}, [&](const KerasLayerWeights& layer) {
    const auto place = places.find(layer.layer);
    return place == places.end() ? places.size() : place->second;
  });
}

}  // namespace h5bridge
