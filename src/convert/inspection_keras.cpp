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
#include "keras/dialects/version.h"
#include "keras/inner_layers.h"
#include "keras/lift.h"
#include "keras/parse_tree.h"
#include "keras/read_bindings.h"
#include "passes/frozen.h"
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

/// The layers that a configuration states; nullopt where there is none, or one whose wrappers cannot be read.
std::optional<KerasModel> stated_layers(const Json& model_config) {
  if (model_config.is_null()) return std::nullopt;
  try {
    const Json* config = model_config.find("config");
    if (!config || !config->is_array()) return parse_layers(model_config);
    // Of a Sequential model up to Keras 2.2.2.
    return parse_layers(Json::Object{{"class_name", "Sequential"}, {"config", Json::Object{{"layers", *config}}}});
  } catch (const Error&) {  // the file is shown all the same
    return std::nullopt;
  }
}

/// Which variables the layers say are trained.
class Trainability {
 public:
  /// `is_old`: of Keras 1 or 2, in which nothing within what is frozen trains.
  Trainability(const std::optional<KerasModel>& model, bool is_old) : stated_(model.has_value()), is_old_(is_old) {
    if (!model) return;
    for (const KerasLayer& layer : model->layers) {
      Names& frozen = frozen_[layer.name];
      if (!model->trainable) frozen.insert(layer.name);
      collect(layer, !model->trainable, frozen);
    }
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

  static bool is_frozen(const Json::Object& config) {
    const Json* trainable = config.find("trainable");
    return trainable && *trainable == Json(false);
  }

  /// What has variables of its own, or tells the cell that it makes.
  static bool heeds_its_flag(const std::string& class_name) {
    static const std::set<std::string_view> kMadeOfLayers{"Functional",
                                                          "Sequential",
                                                          "Model",
                                                          "TimeDistributed",
                                                          "Bidirectional",
                                                          "RNN",
                                                          "StackedRNNCells",
                                                          "SpectralNormalization",
                                                          "MultiHeadAttention",
                                                          "GroupQueryAttention",
                                                          "GroupedQueryAttention"};
    return !kMadeOfLayers.contains(class_name) && !class_name.starts_with("ConvLSTM");
  }

  /// Whether what is frozen itself is so within, where that is for the layer to say.
  bool collect_one(const std::string& name, const std::string& class_name, bool is_model, const Json::Object& config,
                   bool in_frozen, Names& frozen) const {
    const bool heeds = is_old_ || (!is_model && heeds_its_flag(class_name));
    const bool is_this_frozen = (is_old_ && in_frozen) || (heeds && is_frozen(config));
    if (is_this_frozen) frozen.insert(name);
    return is_this_frozen;
  }

  void collect(const KerasLayer& layer, bool in_frozen, Names& frozen) const {
    const bool is_model = layer.model != nullptr;
    const bool is_this_frozen = collect_one(layer.name, layer.class_name, is_model, layer.config, in_frozen, frozen);
    if (!is_model) return collect_within(layer.config, is_this_frozen, frozen);
    for (const KerasLayer& inner : layer.model->layers) collect(inner, is_this_frozen, frozen);
  }

  /// Of what stands in a layer's own configuration: the layers that a wrapper wraps, a model's, the cells of an RNN.
  void collect_within(const Json::Object& config, bool in_frozen, Names& frozen) const {
    const auto collect_inner = [&](const Json& layer) {
      const Json *name = layer.find("class_name"), *own = layer.find("config");
      if (!name || !name->is_string() || !own || !own->is_object()) return;
      const Json* called = own->find("name");
      const std::string inner = called && called->is_string() ? called->as_string() : "";
      const bool is_frozen = collect_one(inner, name->as_string(), false, own->as_object(), in_frozen, frozen);
      collect_within(own->as_object(), is_frozen, frozen);
    };
    for (const std::string_view list : kLayerLists)
      if (const Json* layers = config.find(list); layers && layers->is_array())
        for (const Json& layer : layers->as_array()) collect_inner(layer);
    for (const std::string_view wrapped : kLayerMembers)
      if (const Json* layer = config.find(wrapped)) collect_inner(*layer);
  }

  bool stated_;
  bool is_old_;
  std::map<std::string, Names> frozen_;  // by the layer whose group a variable is in
};

/// By an object and a variable's number.
using TrainedObjects = std::map<std::pair<std::string, std::size_t>, bool>;

/// Likewise of the variables of objects, which have no names: known where all of the model's layers are.
TrainedObjects trained_objects(const Json& model_config, const std::optional<KerasModel>& model) {
  TrainedObjects result;
  if (!model || !model_config.is_object()) return result;
  try {
    const LayoutChange same = same_layout(architecture_from_keras(model_config));
    const std::optional<KerasBindings> bound = read_bindings(*model, same.architecture, same.weights);
    if (!bound) return result;
    const auto places = object_places(*bound, *model);
    const bool is_frozen = is_frozen_as_a_whole(same.architecture);
    for (std::size_t i = 0; i < places.size(); ++i)
      for (const std::optional<ObjectPlace>& place : places[i])
        if (place)
          result.emplace(std::pair(place->object, place->number), !is_frozen && bound->bindings[i].is_trained());
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
  const bool is_old = states_before_3(file.keras_version);
  const std::optional<KerasModel> model = stated_layers(file.model_config);
  const Trainability trainability(model, is_old);
  FilePart part;
  part.format = file.format;
  for (const KerasLayerWeights& layer : file.layers)
    for (const KerasVariable& variable : layer.variables)
      part.tensors.push_back({variable.path, variable.tensor, trainability.of(layer.layer, variable.path)});
  const TrainedObjects trained = file.objects.empty() ? TrainedObjects() : trained_objects(file.model_config, model);
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
