// What `inspect` shows of Keras's files.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "convert/inspection_parts.h"
#include "convert/object_weights.h"
#include "files/keras_file.h"
#include "h5bridge/error.h"
#include "keras/lift.h"
#include "keras/read_bindings.h"
#include "passes/layout.h"

namespace h5bridge {
namespace {

/// The variables that Keras layers never train.
constexpr std::array<std::string_view, 9> kStateVariables{"moving_mean", "moving_variance", "mean",
                                                          "variance",    "count",           "adapt_count",
                                                          "vector_u",    "total",           "seed_generator_state"};

std::vector<std::string> components_of(const std::string& path) {
  std::vector<std::string> result{""};
  for (const char letter : path.substr(0, path.rfind(':'))) {
    if (letter == '/')
      result.emplace_back();
    else
      result.back() += letter;
  }
  return result;
}

/// Which variables a configuration says are trained.
class Trainability {
 public:
  explicit Trainability(const Json& model_config) : stated_(!model_config.is_null()) {
    const Json* config = model_config.find("config");
    if (!config) return;
    for_each_inner(*config,
                   [&](const Json& layer) { collect(layer, is_frozen(*config), frozen_[name_of_layer(layer)]); });
  }

  /// Of a variable in the group of `layer`.
  std::optional<bool> of(const std::string& layer, const std::string& path) const {
    if (!stated_) return std::nullopt;
    const std::vector<std::string> components = components_of(path);
    if (std::ranges::count(kStateVariables, components.back()) > 0) return false;
    const auto found = frozen_.find(layer);
    if (found == frozen_.end()) return true;
    return !found->second.contains(layer) && std::ranges::none_of(components, [&](const std::string& component) {
      return found->second.contains(component);
    });
  }

 private:
  using Names = std::set<std::string>;

  static bool is_frozen(const Json& config) {
    const Json* trainable = config.find("trainable");
    return trainable && *trainable == Json(false);
  }

  static std::string name_of_layer(const Json& layer) {
    const Json* config = layer.find("config");
    const Json* name = config ? config->find("name") : nullptr;
    return name && name->is_string() ? name->as_string() : "";
  }

  /// The layers of a model, or those that a wrapper wraps.
  template <typename Visit>
  static void for_each_inner(const Json& config, Visit&& visit) {
    if (const Json* layers = config.find("layers"); layers && layers->is_array())
      for (const Json& layer : layers->as_array()) visit(layer);
    for (const char* wrapped : {"layer", "forward_layer", "backward_layer"})
      if (const Json* layer = config.find(wrapped); layer && layer->is_object()) visit(*layer);
  }

  void collect(const Json& layer, bool outer_frozen, Names& frozen) {
    const Json* config = layer.find("config");
    if (!config) return;
    const bool is_this_frozen = outer_frozen || is_frozen(*config);
    if (is_this_frozen) frozen.insert(name_of_layer(layer));
    for_each_inner(*config, [&](const Json& inner) { collect(inner, is_this_frozen, frozen); });
  }

  bool stated_;
  std::map<std::string, Names> frozen_;  // by the layer whose group a variable is in
};

/// By an object and a variable's number.
using TrainedObjects = std::map<std::pair<std::string, std::size_t>, bool>;

/// Likewise of the variables of objects, which have no names: known where all of the model's layers are.
TrainedObjects trained_objects(const Json& model_config) {
  TrainedObjects result;
  if (!model_config.is_object()) return result;
  try {
    const LayoutChange same = same_layout(architecture_from_keras(model_config));
    const std::optional<KerasBindings> bound = read_bindings(model_config, same.architecture, same.weights);
    if (!bound) return result;
    const auto places = object_places(*bound, model_config);
    for (std::size_t i = 0; i < places.size(); ++i)
      for (const std::optional<ObjectPlace>& place : places[i])
        if (place) result.emplace(std::pair(place->object, place->number), bound->bindings[i].is_trained());
  } catch (const Error&) {  // which the inspection of the whole model says
  }
  return result;
}

/// The optimizer among what compile() was given; its variables are the file's.
Json training_of(const KerasFile& file) {
  if (file.training_config.is_null() && file.optimizer.empty()) return {};
  Json::Object optimizer{{"name", Json()}, {"config", Json()}};
  Json::Object compile;
  if (file.training_config.is_object()) compile = file.training_config.as_object();
  if (const Json* stated = compile.find("optimizer_config")) {
    for (const auto& [member, ours] : {std::pair("class_name", "name"), std::pair("config", "config")})
      if (const Json* value = stated->find(member)) optimizer.set(ours, *value);
    compile.erase("optimizer_config");
  }
  Json::Array slots;
  for (const KerasVariable& variable : file.optimizer)
    slots.push_back(slot_to_json(variable.path, variable.tensor, Json()));
  optimizer.set("slots", std::move(slots));
  return Json::Object{
      {"epoch", Json()}, {"loss", Json()}, {"optimizer", std::move(optimizer)}, {"compile", std::move(compile)}};
}

}  // namespace

FilePart inspect_keras_file(const KerasFile& file) {
  const Trainability trainability(file.model_config);
  FilePart part;
  part.format = file.format;
  for (const KerasLayerWeights& layer : file.layers)
    for (const KerasVariable& variable : layer.variables)
      part.tensors.push_back({variable.path, variable.tensor, trainability.of(layer.layer, variable.path)});
  const TrainedObjects trained = file.objects.empty() ? TrainedObjects() : trained_objects(file.model_config);
  for (const KerasObject& object : file.objects)
    for (std::size_t i = 0; i < object.variables.size(); ++i) {
      const auto stated = trained.find({object.path, i});
      part.tensors.push_back({(object.path.empty() ? "" : object.path + "/") + "vars/" + std::to_string(i),
                              object.variables[i],
                              stated == trained.end() ? std::nullopt : std::optional(stated->second)});
    }
  for (const KerasVariable& variable : file.top_level)
    part.tensors.push_back({variable.path, variable.tensor, std::nullopt});
  part.states_architecture = file.has_model_config;
  part.training = training_of(file);
  for (const auto& [name, stated] :
       {std::pair("keras_version", file.keras_version), std::pair("backend", file.backend)})
    if (!stated.empty()) part.metadata.set(name, stated);
  if (!file.model_config.is_null()) part.metadata.set("model_config", file.model_config);
  if (!file.extra.is_null()) part.metadata.set("h5bridge", file.extra);
  return part;
}

}  // namespace h5bridge
