#include "keras/wrappers.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "h5bridge/error.h"
#include "keras/dialects/nodes.h"
#include "keras/inline_models.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

Json history(const std::string& layer) { return Json::Array{layer, 0, 0}; }

Json entry(const std::string& class_name, const std::string& name, const std::vector<std::string>& inputs) {
  Json::Array nodes;
  Json::Array arguments;
  for (const std::string& input : inputs) arguments.push_back(keras_tensor(history(input)));
  if (!inputs.empty()) nodes.push_back(Json::Object{{"args", std::move(arguments)}, {"kwargs", Json::Object{}}});
  return Json::Object{{"class_name", class_name},
                      {"config", Json::Object{{"name", name}}},
                      {"name", name},
                      {"inbound_nodes", std::move(nodes)}};
}

// keras/src/layers/rnn/time_distributed.py: the layer sees each step as a batch of its own; all steps as one batch are
// the same to it.
Json functional_of_time_distributed(const Json::Object& config) {
  Json wrapped = config.at("layer");
  if (config.contains("trainable") && config.at("trainable") == Json(false))
    wrapped.as_object().find("config")->as_object().set("trainable", false);
  const std::string name = entry_name(wrapped);
  const auto own = [&](const char* what) { return std::string(what == name ? "wrapper_" : "") + what; };
  Json call = entry("", "", {own("merged")});
  wrapped.as_object().set("name", name);
  wrapped.as_object().set("inbound_nodes", call.at("inbound_nodes"));
  return Json::Object{
      {"layers", Json::Array{entry(kGiven, own("given"), {}), entry(kStepsMerged, own("merged"), {own("given")}),
                             std::move(wrapped), entry(kStepsApart, own("apart"), {name, own("given")})}},
      {"input_layers", history(own("given"))},
      {"output_layers", history(own("apart"))}};
}

}  // namespace

bool is_wrapper(const KerasModelOrigin& origin) { return origin.class_name == "TimeDistributed"; }

bool is_wrappers_own(const Layer& layer) { return layer.keras.implied && layer.keras.class_name == "TimeDistributed"; }

Architecture without_wrappers(Architecture architecture) {
  std::map<std::string, std::string> parents;  // of the calls that go
  std::set<std::string> wrappers;
  for (const Scope& scope : architecture.scopes)
    if (is_wrapper(scope.keras)) wrappers.insert(scope.name);
  for (const ScopeCall& call : architecture.scope_calls)
    if (wrappers.contains(call.scope)) parents[call.name] = call.parent;
  const auto leave = [&](std::string& call) {
    for (auto parent = parents.find(call); parent != parents.end(); parent = parents.find(call)) call = parent->second;
  };
  std::erase_if(architecture.scopes, [&](const Scope& scope) { return wrappers.contains(scope.name); });
  std::erase_if(architecture.scope_calls, [&](const ScopeCall& call) { return parents.contains(call.name); });
  for (ScopeCall& call : architecture.scope_calls) leave(call.parent);
  for (Node& node : architecture.nodes) leave(node.scope_call);
  for (Layer& layer : architecture.layers)
    if (is_wrappers_own(layer)) layer.keras = {};
  return architecture;
}

bool is_wrapper_entry(const Json& layer) {
  const Json* class_name = layer.find("class_name");
  const Json* config = layer.find("config");
  const Json* wrapped = config && config->is_object() ? config->find("layer") : nullptr;
  return class_name && *class_name == Json("TimeDistributed") && wrapped && wrapped->is_object() &&
         wrapped->find("class_name") && wrapped->find("config") && wrapped->at("config").is_object();
}

bool is_wrappers_own(const Json& layer) {
  const Json& class_name = layer.at("class_name");
  return std::ranges::any_of(std::array{kGiven, kStepsMerged, kStepsApart},
                             [&](const char* own) { return class_name == Json(own); });
}

Json functional_of_wrapper(const Json& wrapper) {
  static const std::set<std::string> known{"name", "trainable", "dtype", "layer"};
  const Json::Object& config = wrapper.at("config").as_object();
  for (const auto& [key, value] : config)
    if (!known.contains(key))
      throw Unsupported("its setting \"" + shortened(key) + "\" (" + quoted(value) + ") is not known");
  return Json::Object{{"class_name", "Functional"}, {"config", functional_of_time_distributed(config)}};
}

const PlannedLayer* wrapped_layer(const PlannedModel& model) {
  const PlannedLayer* wrapped = nullptr;
  const PlannedLayer* merged = nullptr;
  const PlannedLayer* apart = nullptr;
  for (const PlannedLayer& layer : model.layers) {
    if (layer.class_name == "InputLayer") continue;
    const PlannedLayer*& place = layer.class_name == kMergesSteps       ? merged
                                 : layer.class_name == kTakesStepsApart ? apart
                                                                        : wrapped;
    if (place || layer.calls.size() != 1 || !layer.calls[0].keywords.empty()) return nullptr;
    place = &layer;
  }
  if (!wrapped || !merged || !apart || wrapped->is_operation()) return nullptr;
  const auto takes = [](const PlannedLayer& layer, const std::vector<std::string>& sources) {
    return std::ranges::equal(layer.calls[0].tensors(), sources,
                              [](const KerasTensor& tensor, const std::string& source) {
                                return tensor.layer == source && tensor.tensor == 0;
                              });
  };
  const std::string& given = model.inputs.at(0).layer;
  const bool is_whole = takes(*merged, {given}) && takes(*wrapped, {merged->name}) &&
                        takes(*apart, {wrapped->name, given}) && model.outputs.size() == 1 &&
                        model.outputs[0].layer == apart->name;
  return is_whole ? wrapped : nullptr;
}

Json::Object wrapper_entry(const PlannedModel& model, Json::Object wrapped) {
  Json::Array built = shape_config(model.inputs.at(0).shape).as_array();
  built.erase(built.begin() + 1);
  wrapped.set("build_config", Json::Object{{"input_shape", std::move(built)}});
  if (wrapped.at("config").find("layers")) wrapped.set("compile_config", Json::Object{});
  Json::Object config{{"name", model.name}, {"trainable", model.trainable}};
  if (const Json* dtype = model.said.config.find("dtype")) config.set("dtype", *dtype);
  config.set("layer", std::move(wrapped));
  return {{"module", "keras.layers"},
          {"class_name", *model.said.class_name},
          {"config", std::move(config)},
          {"registered_name", nullptr}};
}

}  // namespace h5bridge
