// Scopes: models and wrappers within a model. On the way in, the layers of each take the place of its calls in the
// graph around it, so that what follows knows flat graphs alone: layout, masks, shapes, names, LibTorch's module tree.
// What stood where is noted, for the way back.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/keras_origin.h"
#include "keras/tree.h"

namespace h5bridge {

/// The class of what an inner model gives out as it came in: the flat graph has it as a layer of its own, because
/// whoever takes it takes the model's.
inline constexpr const char* kPassedOn = "h5bridge>PassedOn";

/// A model within a model. All names are those of the flat one: layer "dense" of model "encoder" is "encoder.dense"
/// there, and KerasLayer::keras_name still is "dense".
struct ExpandedScope {
  std::string name;
  std::vector<std::string> inputs;  // its input layers
  KerasModelOrigin origin;
};

/// A call of one.
struct ExpandedCall {
  std::string model;
  std::optional<std::size_t> parent;  // the call that it is a part of
  std::vector<History> arguments;     // calls of the model's input layers
  std::vector<History> results;
  std::vector<std::optional<History>> masks;  // of the inputs, where they are told
  Json::Object keywords;                      // that change nothing: training=False, mask=None
};

struct ExpandedModel {
  KerasModel model;  // flat: an InputLayer with calls is an inner model's
  std::vector<ExpandedScope> models;
  std::vector<ExpandedCall> calls;  // those that hold others come before these
};

/// The model with every scope in it replaced by its layers. One without any stays as it is. Throws Unsupported for
/// calls of models that cannot be said, MalformedFile for what cannot be a call.
ExpandedModel expand(KerasModel model);

/// Changes every tensor that calls of models within the model are given or give to what `change` gives for it.
template <typename Change>
void change_tensors(ExpandedCall& call, Change&& change) {
  for (History& argument : call.arguments) argument = change(argument);
  for (History& result : call.results) result = change(result);
  for (std::optional<History>& mask : call.masks)
    if (mask) mask = change(*mask);
}
/// Likewise all that layers are called with, and what the model gives.
template <typename Change>
void change_tensors(KerasCall& call, Change&& change) {
  KerasCall::for_each_tensor(call, [&](KerasTensor& tensor) { tensor = KerasTensor{change(tensor)}; });
}
template <typename Change>
void change_outputs(KerasModel& model, Change&& change) {
  for (KerasTensor& output : model.outputs) output = KerasTensor{change(output)};
}

}  // namespace h5bridge
