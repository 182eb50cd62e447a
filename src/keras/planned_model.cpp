#include "keras/planned_model.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "keras/layer_order.h"
#include "keras/wrappers.h"

namespace h5bridge {
namespace {

// {"a": x, "b": y} for named things, [x, y] for several, x alone for one: how Keras nests inputs and outputs.
Json nested(const std::vector<Json>& things, const std::vector<std::string>& names) {
  if (!names.empty() && names.size() == things.size()) {
    Json::Object result;
    for (std::size_t i = 0; i < things.size(); ++i) result.set(names.at(i), things[i]);
    return result;
  }
  if (things.size() == 1) return things[0];
  return Json::Array(things.begin(), things.end());
}

// The same things nested as in `structure`, of whose places `next` is the first that is not taken.
Json nested_as(const Json& structure, const std::vector<Json>& things, std::size_t& next) {
  if (structure.is_object()) {
    Json::Object result;
    for (const auto& [name, place] : structure.as_object()) result.set(name, nested_as(place, things, next));
    return result;
  }
  const Json::Array& places = structure.as_array();
  if (places.size() == 3 && places[0].is_string()) return next < things.size() ? things[next++] : Json();
  Json::Array result;
  for (const Json& place : places) result.push_back(nested_as(place, things, next));
  return result;
}

Json nested(const std::vector<Json>& things, const std::vector<std::string>& names,
            const std::optional<Json>& structure) {
  std::size_t count = 0;
  if (!structure) return nested(things, names);
  Json result = nested_as(*structure, things, count);
  return count == things.size() ? result : nested(things, names);
}

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

// What a model's configuration says of its layers and their calls.
class Writer {
 public:
  explicit Writer(const PlannedModel& model) : model_(model) {
    for (const PlannedLayer& layer : model.layers) layers_[layer.name] = &layer;
  }

  Json::Object run() const {
    const KerasModelOrigin& said = model_.said;
    const Json* other = said.config.find("trainable");  // than a boolean
    const Json trainable = other && model_.trainable ? *other : Json(model_.trainable);
    Json::Object config{{"name", model_.name}, {"trainable", trainable}};
    Json::Array layers;
    if (model_.is_sequential()) {
      const Json* dtype = said.config.find("dtype");
      config.set("dtype", dtype ? *dtype
                                : Json(Json::Object{{"module", "keras"},
                                                    {"class_name", "DTypePolicy"},
                                                    {"config", Json::Object{{"name", name_of(model_.dtype)}}},
                                                    {"registered_name", nullptr}}));
      for (const PlannedLayer& layer : model_.layers) layers.push_back(object(layer));
      config.set("layers", std::move(layers));
      config.set("build_input_shape", shape_config(model_.inputs[0].shape));
      return {{"class_name", "Sequential"}, {"config", std::move(config)}};
    }
    for (const PlannedLayer& layer : model_.layers) {
      Json::Object entry = object(layer);
      entry.set("name", layer.keras_name);
      Json::Array calls;
      for (const PlannedCall& call : layer.calls) calls.push_back(this->call(call, layer.model.get()));
      entry.set("inbound_nodes", std::move(calls));
      layers.push_back(std::move(entry));
    }
    config.set("layers", std::move(layers));
    std::vector<Json> inputs, outputs;
    for (const KerasTensor& input : model_.inputs) inputs.push_back(history(input));
    // Among its outputs Keras counts a Functional model's own making as its first call (models/functional.py,
    // get_config).
    for (const KerasTensor& output : model_.outputs) {
      const PlannedModel* inner = layers_.at(output.layer)->model.get();
      outputs.push_back(history(output, inner && inner->is_functional() ? 1 : 0));
    }
    config.set("input_layers", nested(inputs, {}, said.input_layers));
    config.set("output_layers", nested(outputs, model_.output_names, said.output_layers));
    return {{"class_name", "Functional"}, {"config", std::move(config)}};
  }

 private:
  static Json::Object object(const PlannedLayer& layer) {
    if (layer.model && is_wrapper(layer.model->said)) return wrapper_entry(*layer.model, wrapped_objects(*layer.model));
    if (layer.model) {
      const Json::Object model = layer.model->configuration();
      const bool is_sequential = model.at("class_name") == Json("Sequential");
      return {{"module", is_sequential ? "keras" : "keras.src.models.functional"},
              {"class_name", model.at("class_name")},
              {"config", model.at("config")},
              {"registered_name", is_sequential ? Json() : Json("Functional")}};
    }
    Json::Object config = layer.config;
    config.set("name", layer.keras_name);
    return {{"module", layer.module},
            {"class_name", layer.class_name},
            {"config", std::move(config)},
            {"registered_name", layer.is_operation() ? Json(layer.class_name) : Json()}};
  }

  static std::vector<Json::Object> wrapped_objects(const PlannedModel& wrapper) {
    std::vector<Json::Object> result;
    for (const PlannedLayer* wrapped : wrapped_layers(wrapper)) result.push_back(object(*wrapped));
    return result;
  }

  Json history(const KerasTensor& tensor, std::int64_t first_call = 0) const {
    return Json::Array{layers_.at(tensor.layer)->keras_name, first_call + tensor.call, tensor.tensor};
  }

  Json argument(const KerasTensor& tensor) const {
    return Json::Object{{"class_name", "__keras_tensor__"},
                        {"config", Json::Object{{"shape", shape_config(tensor.shape)},
                                                {"dtype", name_of(tensor.dtype)},
                                                {"keras_history", history(tensor)}}}};
  }

  Json argument(const PlannedCall::Argument& argument) const {
    if (const auto* tensor = std::get_if<KerasTensor>(&argument)) return this->argument(*tensor);
    if (const auto* constant = std::get_if<Json>(&argument)) return *constant;
    Json::Array list;
    if (const auto* tensors = std::get_if<std::vector<KerasTensor>>(&argument))
      for (const KerasTensor& tensor : *tensors) list.push_back(this->argument(tensor));
    else
      for (const std::optional<KerasTensor>& tensor : std::get<PlannedCall::List>(argument))
        list.push_back(tensor ? this->argument(*tensor) : Json());
    return list;
  }

  // `model`: the one that is called, whose inputs may be nested.
  Json call(const PlannedCall& call, const PlannedModel* model) const {
    std::vector<Json> arguments;
    for (const PlannedCall::Argument& argument : call.arguments) arguments.push_back(this->argument(argument));
    if (model) arguments = {nested(arguments, {}, model->said.input_layers)};
    Json::Object keywords;
    for (const auto& [name, argument] : call.keywords) keywords.set(name, this->argument(argument));
    return Json::Object{{"args", Json::Array(arguments.begin(), arguments.end())}, {"kwargs", std::move(keywords)}};
  }

  const PlannedModel& model_;
  std::map<std::string, const PlannedLayer*> layers_;
};

std::vector<PlannedLayer> in_keras_order(std::vector<PlannedLayer> layers, std::vector<KerasTensor> outputs) {
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < layers.size(); ++i) index[layers[i].name] = i;
  const auto call_of = [&](const KerasTensor& tensor) {
    return KerasCallId{index.at(tensor.layer), static_cast<std::size_t>(tensor.call)};
  };
  KerasGraph graph(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (const PlannedCall& call : layers[i].calls) {
      auto& inputs = graph[i].emplace_back();
      std::ranges::transform(call.tensors(), std::back_inserter(inputs), call_of);
    }
    if (layers[i].calls.empty()) graph[i].emplace_back();  // an input
  }
  std::vector<KerasCallId> calls;
  std::ranges::transform(outputs, std::back_inserter(calls), call_of);
  std::vector<PlannedLayer> ordered;
  for (const std::size_t i : keras_order(graph, calls)) ordered.push_back(std::move(layers[i]));
  return ordered;
}

// A wrapper has its layers in its own order.
void put_wrapped_last(PlannedModel& wrapper) {
  std::vector<std::string> order;
  for (const PlannedLayer* wrapped : wrapped_layers(wrapper)) order.push_back(wrapped->name);
  std::ranges::stable_sort(wrapper.layers, {}, [&](const PlannedLayer& layer) {
    const auto place = std::ranges::find(order, layer.name);
    return place == order.end() ? -1 : place - order.begin();
  });
}

}  // namespace

bool PlannedModel::is_sequential() const {
  if (said.class_name != "Sequential" || inputs.size() != 1 || outputs.size() != 1) return false;
  for (std::size_t i = 1; i < layers.size(); ++i) {
    const PlannedLayer& layer = layers[i];
    if (layer.is_operation() || layer.calls.size() != 1 || !layer.calls[0].keywords.empty()) return false;
    const std::vector<KerasTensor> taken = layer.calls[0].tensors();
    if (taken.size() != 1 || taken[0].layer != layers[i - 1].name || taken[0].tensor != 0) return false;
  }
  return outputs[0].layer == layers.back().name;
}

bool PlannedModel::is_functional() const { return !is_sequential() && !is_wrapper(said); }

std::string PlannedModel::variable_path() const {
  if (!is_sequential()) return {};
  return said.variable_path.value_or(name) + "/";
}

std::string variable_path(const std::vector<const PlannedModel*>& within) {
  std::string path;
  for (const PlannedModel* model : within)
    path = is_wrapper(model->said) ? path + model->name + "/" : model->variable_path();
  return path;
}

void PlannedModel::settle() {
  std::vector<Json> numbers;
  for (std::size_t i = 0; i < outputs.size(); ++i) numbers.emplace_back(i);
  std::vector<std::size_t> order;
  walk(nested(numbers, output_names, said.output_layers), order);
  std::vector<KerasTensor> walked;
  for (const std::size_t i : order) walked.push_back(outputs[i]);
  layers = in_keras_order(std::move(layers), std::move(walked));
  if (is_wrapper(said)) put_wrapped_last(*this);
  std::set<std::string> names;
  for (PlannedLayer& layer : layers) {
    const auto taken = [&](const std::string& wanted) { return names.contains(wanted); };
    layer.keras_name = unique_name(layer.keras_name, taken);
    names.insert(layer.keras_name);
    if (!layer.model) continue;
    layer.model->name = layer.keras_name;
    layer.model->settle();
  }
}

Json::Object PlannedModel::configuration() const { return Writer(*this).run(); }

}  // namespace h5bridge
