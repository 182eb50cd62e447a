// Keras's configurations as trees. Those of every Keras come here in the form of 3.15, which the dialects give them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "keras/tree.h"

namespace h5bridge {

/// The model with this configuration, {"class_name": "Functional", "config": {...}}. The layers of a Sequential one are
/// called one after the other, from an InputLayer that it is given where it has none. Inputs and outputs are in the
/// order of the file; those of models within it as Keras walks through them, dicts by their sorted keys. Throws
/// Unsupported for a class that does not describe what it computes, MalformedFile for what cannot be a model.
KerasModel parse_model(const Json& model_config);

/// The layers of a configuration, of the models within it and of wrappers, without their calls. Whatever is no layer is
/// left out, so that something is found in what cannot be read, too.
KerasModel parse_layers(const Json& model_config);

/// The activation of a layer where it is a layer object, with the name that it has there; nullopt: it is none.
std::optional<KerasLayer> parse_activation(const KerasLayer& layer);

/// What stands among a model's outputs: the layer that makes each, with its key where they are a dict.
std::vector<std::pair<std::string, std::string>> parse_output_layers(const Json& model_config);

/// What Keras says of a model or a wrapper: its class, name, settings, and how its inputs and outputs are nested.
KerasModelOrigin parse_origin(const std::string& class_name, const Json::Object& config);

/// Calls `visit(name, layer)` with each layer of a model and of the models and wrappers within it, which are no layers
/// of their own: by KerasBinding::layer ("encoder/dense").
void visit_layers(const KerasModel& model, const std::function<void(const std::string&, const KerasLayer&)>& visit);

}  // namespace h5bridge
