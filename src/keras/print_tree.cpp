#include "keras/print_tree.h"

#include <map>

#include "keras/wrappers.h"

namespace h5bridge {
namespace {

// {"a": x, "b": y} for named things, [x, y] for several, x alone for one: how Keras nests inputs and outputs.
Json nested_unsaid(const std::vector<Json>& things, const std::vector<std::string>& names) {
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

// What a model's configuration says of its layers and their calls. It takes them out of the model one by one: of ten
// thousand layers, both would be much.
class Writer {
 public:
  explicit Writer(KerasModel model) : model_(std::move(model)) {
    for (const KerasLayer& layer : model_.layers) layers_[layer.name] = &layer;
  }

  Json::Object run() {
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
      for (KerasLayer& layer : model_.layers) layers.push_back(taken(layer));
      config.set("layers", std::move(layers));
      config.set("build_input_shape", shape_config(model_.inputs[0].shape));
      return {{"class_name", "Sequential"}, {"config", std::move(config)}};
    }
    layers.reserve(model_.layers.size());
    for (KerasLayer& layer : model_.layers) {
      Json::Object entry = taken(layer);
      entry.set("name", layer.keras_name);
      Json::Array calls;
      for (const KerasCall& call : layer.calls) calls.push_back(this->call(call, layer.model.get()));
      layer.calls.clear();
      entry.set("inbound_nodes", std::move(calls));
      layers.push_back(std::move(entry));
    }
    config.set("layers", std::move(layers));
    std::vector<Json> inputs, outputs;
    for (const KerasTensor& input : model_.inputs) inputs.push_back(history(input));
    // Among its outputs Keras counts a Functional model's own making as its first call (models/functional.py,
    // get_config).
    for (const KerasTensor& output : model_.outputs) {
      const KerasModel* inner = layers_.at(output.layer)->model.get();
      outputs.push_back(history(output, inner && inner->is_functional() ? 1 : 0));
    }
    config.set("input_layers", nested(inputs, {}, said.input_layers));
    config.set("output_layers", nested(outputs, model_.output_names, said.output_layers));
    return {{"class_name", "Functional"}, {"config", std::move(config)}};
  }

 private:
  static Json::Object taken(KerasLayer& layer) {
    return layer.model ? object(layer) : object_of(layer, std::move(layer.config));
  }

  static Json::Object object(const KerasLayer& layer) {
    if (layer.model && is_wrapper(layer.model->said)) return print_wrapper(*layer.model, wrapped_objects(*layer.model));
    if (layer.model) {
      const Json::Object model = print_model(*layer.model);
      const bool is_sequential = model.at("class_name") == Json("Sequential");
      return {{"module", is_sequential ? "keras" : "keras.src.models.functional"},
              {"class_name", model.at("class_name")},
              {"config", model.at("config")},
              {"registered_name", is_sequential ? Json() : Json("Functional")}};
    }
    return object_of(layer, layer.config);
  }

  static Json::Object object_of(const KerasLayer& layer, Json::Object config) {
    config.set("name", layer.keras_name);
    return {{"module", layer.module},
            {"class_name", layer.class_name},
            {"config", std::move(config)},
            {"registered_name", layer.is_operation() ? Json(layer.class_name) : Json()}};
  }

  static std::vector<Json::Object> wrapped_objects(const KerasModel& wrapper) {
    std::vector<Json::Object> result;
    for (const KerasLayer* wrapped : wrapped_layers(wrapper)) result.push_back(object(*wrapped));
    return result;
  }

  Json history(const History& tensor, std::int64_t first_call = 0) const {
    return print_history({layers_.at(tensor.layer)->keras_name, first_call + tensor.call, tensor.tensor});
  }

  Json argument(const KerasArgument& argument) const {
    return print_argument(argument, [this](const KerasTensor& tensor) {
      return Json::Object{{"class_name", "__keras_tensor__"},
                          {"config", Json::Object{{"shape", shape_config(tensor.shape)},
                                                  {"dtype", name_of(tensor.dtype)},
                                                  {"keras_history", history(tensor)}}}};
    });
  }

  // `model`: the one that is called, whose inputs may be nested.
  Json call(const KerasCall& call, const KerasModel* model) const {
    std::vector<Json> arguments;
    for (const KerasArgument& argument : call.arguments) arguments.push_back(this->argument(argument));
    if (model) arguments = {nested(arguments, {}, model->said.input_layers)};
    Json::Object keywords;
    for (const auto& [name, argument] : call.keywords) keywords.set(name, this->argument(argument));
    return Json::Object{{"args", Json::Array(arguments.begin(), arguments.end())}, {"kwargs", std::move(keywords)}};
  }

  KerasModel model_;
  std::map<std::string_view, const KerasLayer*> layers_;
};

}  // namespace

Json shape_config(const SymbolicShape& shape) {
  Json::Array result;
  for (const Size& size : shape) result.push_back(size.value() ? Json(*size.value()) : Json());
  return result;
}

Json print_origin(const KerasTensor& tensor) {
  return Json::Object{{"class_name", "__keras_tensor__"},
                      {"config", Json::Object{{"keras_history", print_history(tensor)}}}};
}

Json print_history(const History& tensor) { return Json::Array{tensor.layer, tensor.call, tensor.tensor}; }

Json nested(const std::vector<Json>& things, const std::vector<std::string>& names,
            const std::optional<Json>& structure) {
  std::size_t count = 0;
  if (!structure) return nested_unsaid(things, names);
  Json result = nested_as(*structure, things, count);
  return count == things.size() ? result : nested_unsaid(things, names);
}

Json print_argument(const KerasArgument& argument, const std::function<Json(const KerasTensor&)>& tensor) {
  if (const Json* constant = argument.constant()) return *constant;
  if (argument.tensor()) return tensor(*argument.tensor());
  if (const KerasArgument::List* list = argument.list()) {
    Json::Array result;
    for (const KerasArgument& element : *list) result.push_back(print_argument(element, tensor));
    return result;
  }
  Json::Object result;
  for (const auto& [key, element] : *argument.dict()) result.set(key, print_argument(element, tensor));
  return result;
}

Json::Object print_model(KerasModel model) { return Writer(std::move(model)).run(); }

}  // namespace h5bridge
