// A Keras model as a tree: what parse_tree.h makes of a configuration in the form of Keras 3.15, and what print_tree.h
// writes one of. The models within it are models of some of its layers.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "h5bridge/architecture.h"
#include "h5bridge/json.h"
#include "h5bridge/keras_origin.h"
#include "keras/history.h"

namespace h5bridge {

/// A tensor with what Keras notes of it. What is read needs no more of it than where it comes from.
struct KerasTensor : History {
  SymbolicShape shape = {};
  DType dtype = DType::Float32;
  /// The nodes that gave it another identity, one after the other: inputs and outputs of inner models.
  std::vector<std::string> told_apart = {};

  bool is_same(const KerasTensor& other) const {
    return static_cast<const History&>(*this) == other && told_apart == other.told_apart;
  }
};

/// What a call is given: a tensor, a constant, or a list or a dict in which tensors stand.
struct KerasArgument {
  using List = std::vector<KerasArgument>;
  using Dict = std::vector<std::pair<std::string, KerasArgument>>;

  KerasArgument(KerasTensor tensor) : value(std::move(tensor)) {}
  KerasArgument(History tensor) : value(KerasTensor{std::move(tensor)}) {}
  KerasArgument(Json constant) : value(std::move(constant)) {}
  KerasArgument(List list) : value(std::move(list)) {}
  KerasArgument(Dict dict) : value(std::move(dict)) {}

  /// nullptr for what is none.
  const KerasTensor* tensor() const { return std::get_if<KerasTensor>(&value); }
  const Json* constant() const { return std::get_if<Json>(&value); }
  const List* list() const { return std::get_if<List>(&value); }
  const Dict* dict() const { return std::get_if<Dict>(&value); }
  bool has_tensors() const { return !constant(); }
  /// Whether both are the same tensors and constants in the same places.
  bool is_same(const KerasArgument& other) const;

  std::variant<KerasTensor, Json, List, Dict> value;
};

/// A list of tensors, some of which may be None.
KerasArgument argument_of(const std::vector<std::optional<KerasTensor>>& tensors);

struct KerasCall {
  std::vector<KerasArgument> arguments;
  std::vector<std::pair<std::string, KerasArgument>> keywords = {};
  std::string part_of = {};                     // the architecture's ScopeCall, of what is written
  std::optional<std::size_t> within_call = {};  // of ExpandedModel::calls, of what is read
  /// Of Keras 2: it hands the mask of its first input on whatever else it takes.
  bool hands_mask_on = false;

  /// In the order in which they stand there.
  std::vector<KerasTensor> tensors() const;
  /// Calls `visit` for each tensor of a call, const or not, in that order.
  template <typename Call, typename Visit>
  static void for_each_tensor(Call& call, Visit&& visit);
};

struct KerasModel;

/// A layer, an operation, or a model within the model.
struct KerasLayer {
  std::string name;         // by which tensors know it
  std::string module = {};  // empty: unsaid
  std::string class_name;
  Json::Object config;
  std::vector<KerasCall> calls = {};
  std::string fused_into = {};  // the layer whose activation it is, as an object
  std::string fused_as = {};    // its name there
  std::string keras_name = {};  // in the model that it is in
  /// The model within the model that it is; of what is written, the graph of a wrapper, too.
  std::shared_ptr<KerasModel> model = {};
  std::string registered_name = {};
  /// The layers that a wrapper wraps, by the attributes of its object that they are; only of what is read.
  std::vector<std::pair<std::string, KerasLayer>> wrapped = {};

  /// Of what is written.
  bool is_operation() const { return !model && module != "keras.layers"; }
  /// The setting of that name; nullptr: unsaid.
  const Json* find(std::string_view setting) const { return config.find(setting); }
};

struct KerasModel {
  std::string name = {};
  std::string scope = {};  // the architecture's that it is; empty: the whole
  KerasModelOrigin said = {};
  bool trainable = true;
  DType dtype = DType::Float32;         // of its policy
  std::vector<KerasLayer> layers = {};  // input layers among them
  std::vector<KerasTensor> inputs = {};
  std::vector<KerasTensor> outputs = {};
  std::vector<std::string> output_names = {};  // where they are a dict

  /// Whether it came as Sequential and still is a chain of layers.
  bool is_sequential() const;
  /// Whether it is neither that nor what a wrapper does.
  bool is_functional() const;
};

/// For messages: layer "dense" (Dense), of a user's class with the package that has it.
std::string describe(const KerasLayer& layer);

/// Calls `visit` with each layer that is no model, in order, with the models that it is in, the outermost first.
template <typename Visit>
void for_each_layer(const KerasModel& model, Visit&& visit, std::vector<const KerasModel*> within = {}) {
  within.push_back(&model);
  for (const KerasLayer& layer : model.layers)
    if (layer.model)
      for_each_layer(*layer.model, visit, within);
    else
      visit(layer, within);
}

/// Calls `visit` for each tensor of an argument, const or not, in the order in which they stand there.
template <typename Argument, typename Visit>
void for_each_tensor(Argument& argument, Visit& visit) {
  if (auto* tensor = std::get_if<KerasTensor>(&argument.value)) visit(*tensor);
  if (auto* list = std::get_if<KerasArgument::List>(&argument.value))
    for (auto& element : *list) for_each_tensor(element, visit);
  if (auto* dict = std::get_if<KerasArgument::Dict>(&argument.value))
    for (auto& [key, element] : *dict) for_each_tensor(element, visit);
}

template <typename Call, typename Visit>
void KerasCall::for_each_tensor(Call& call, Visit&& visit) {
  for (auto& argument : call.arguments) h5bridge::for_each_tensor(argument, visit);
  for (auto& [name, argument] : call.keywords) h5bridge::for_each_tensor(argument, visit);
}

}  // namespace h5bridge
