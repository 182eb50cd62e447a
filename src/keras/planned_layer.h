// The layers and operations of a Keras model that is being planned, and how its configuration says them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// Sizes as Keras's configurations have them: null where they are open.
Json shape_config(const SymbolicShape& shape);

/// Output `tensor` of call number `call` of a layer.
struct KerasTensor {
  std::string layer;
  std::int64_t call = 0;
  std::int64_t tensor = 0;
  SymbolicShape shape;
  DType dtype = DType::Float32;
  /// The nodes that gave it another identity, one after the other: inputs and outputs of inner models.
  std::vector<std::string> told_apart = {};

  bool is_same(const KerasTensor& other) const {
    return std::tie(layer, call, tensor, told_apart) ==
           std::tie(other.layer, other.call, other.tensor, other.told_apart);
  }
  Json history() const { return Json::Array{layer, call, tensor}; }
};

struct PlannedCall {
  using List = std::vector<std::optional<KerasTensor>>;  // some may be None
  using Argument = std::variant<KerasTensor, std::vector<KerasTensor>, List, Json>;

  std::vector<Argument> arguments;
  std::vector<std::pair<std::string, Argument>> keywords;
  std::string part_of = {};  // the architecture's ScopeCall

  /// In the order in which Keras walks through them.
  std::vector<KerasTensor> tensors() const;
  /// Calls `visit` for each tensor of a call, const or not, in that order.
  template <typename Call, typename Visit>
  static void for_each_tensor(Call& call, Visit&& visit);
};

struct PlannedModel;

/// A layer, an operation, or a model within the model.
struct PlannedLayer {
  std::string name;  // by which tensors know it, once in all models
  std::string module;
  std::string class_name;
  Json::Object config;
  std::vector<PlannedCall> calls;
  std::string fused_into = {};  // the layer whose activation it is, as an object
  std::string fused_as = {};    // its name there
  std::string keras_name = {};  // in the model that it is in
  std::shared_ptr<PlannedModel> model = {};

  bool is_operation() const { return !model && module != "keras.layers"; }
};

/// An input of the model of which Keras says that.
PlannedLayer input_layer(const std::string& name, const std::string& keras_name, const Input& input,
                         const SymbolicShape& shape, const KerasModelOrigin& model);

/// Makes the layers that are another's activation a part of that one's configuration, where nothing stands against it.
/// A tensor of theirs is then that layer's, which `result` says.
std::vector<std::pair<std::string, std::string>> fuse_activations(std::vector<PlannedLayer>& layers,
                                                                  const std::vector<KerasTensor>& outputs);

template <typename Call, typename Visit>
void PlannedCall::for_each_tensor(Call& call, Visit&& visit) {
  const auto visit_argument = [&](auto& argument) {
    if (auto* tensor = std::get_if<KerasTensor>(&argument)) visit(*tensor);
    if (auto* list = std::get_if<std::vector<KerasTensor>>(&argument))
      for (auto& tensor : *list) visit(tensor);
    if (auto* list = std::get_if<List>(&argument))
      for (auto& tensor : *list)
        if (tensor) visit(*tensor);
  };
  for (auto& argument : call.arguments) visit_argument(argument);
  for (auto& [name, argument] : call.keywords) visit_argument(argument);
}

}  // namespace h5bridge
