// Models within models. On the way in, the layers of each take the place of its calls, so that what follows knows flat
// graphs alone; what stood where is noted, for the way back.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/keras_origin.h"
#include "keras/call.h"

namespace h5bridge {

/// Stands in a call, a node of the flat configuration: which of InlinedModels::calls it is a part of.
inline constexpr const char* kScopeCall = "scope_call";
/// The class of what an inner model gives out as it came in: the flat graph has it as a layer of its own, because
/// whoever takes it takes the model's.
inline constexpr const char* kPassedOn = "h5bridge>PassedOn";

/// A model within a model. All names are those of the flat configuration: layer "dense" of model "encoder" is
/// "encoder.dense" there.
struct InlinedModel {
  std::string name;
  std::vector<std::string> inputs;  // its input layers
  KerasModelOrigin origin;
};

struct InlinedCall {
  std::string model;
  std::optional<std::size_t> parent;  // the call that it is a part of
  std::vector<History> arguments;     // calls of the model's input layers
  std::vector<History> results;
  std::vector<std::optional<History>> masks;  // of the inputs, where they are told
  Json::Object keywords;                      // that change nothing: training=False, mask=None
};

struct InlinedModels {
  Json model;  // flat: an InputLayer with calls is an inner model's
  std::vector<InlinedModel> models;
  std::vector<InlinedCall> calls;            // those that hold others come before these
  std::map<std::string, std::string> names;  // what Keras calls each layer of an inner model
};

/// `model_config` is in the form of Keras 3.15; one without models within it stays as it is. Throws Unsupported for
/// calls of models that cannot be said, MalformedFile for what cannot be a call.
InlinedModels inline_models(Json model_config);

/// The name of an entry among a model's layers; with its class, for messages.
const std::string& entry_name(const Json& layer);
std::string describe_entry(const Json& layer);

/// Whether an entry among a model's layers is a model.
bool is_model_entry(const Json& layer);

/// What Keras says of a model: its class, name, settings, and how its inputs and outputs are nested.
KerasModelOrigin model_origin(const Json& model_config);

/// `path`: what leads to `ports` in a dict; nullptr: they are in none, or in a list.
template <typename Visit>
void visit_ports(const Json& ports, const std::string* path, Visit&& visit) {
  const auto visit_within = [&](const std::string& own, const Json& port) {
    const std::string name = path && !path->empty() ? *path + "." + own : own;
    visit_ports(port, path ? &name : nullptr, visit);
  };
  const bool is_list = ports.is_array() && !(!ports.as_array().empty() && ports.as_array()[0].is_string());
  if (ports.is_object()) {
    for (const auto& [name, port] : ports.as_object()) visit_within(name, port);
  } else if (is_list) {
    for (std::size_t i = 0; i < ports.as_array().size(); ++i) visit_within(std::to_string(i), ports.as_array()[i]);
  } else {
    visit(path ? *path : std::string(), history_of(ports));
  }
}

/// Calls `visit` with each tensor in input_layers or output_layers, in the order of the file. Where they are a dict, it
/// has its key there, "a"; what is nested in that has all keys and places that lead to it, "b.0". In a list it has
/// none.
template <typename Visit>
void for_each_port(const Json& ports, Visit&& visit) {
  const std::string outermost;
  visit_ports(ports, ports.is_object() ? &outermost : nullptr, visit);
}

}  // namespace h5bridge
