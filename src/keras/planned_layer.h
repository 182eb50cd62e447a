// The layers and operations of a Keras model that is being planned, and how its configuration says them.
#pragma once

#include <optional>
#include <string>
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

  Json history() const { return Json::Array{layer, call, tensor}; }
};

struct PlannedCall {
  using List = std::vector<std::optional<KerasTensor>>;  // some may be None
  using Argument = std::variant<KerasTensor, std::vector<KerasTensor>, List, Json>;

  std::vector<Argument> arguments;
  std::vector<std::pair<std::string, Argument>> keywords;

  /// In the order in which Keras walks through them.
  std::vector<KerasTensor> tensors() const;
  /// Calls `visit` for each tensor of a call, const or not, in that order.
  template <typename Call, typename Visit>
  static void for_each_tensor(Call& call, Visit&& visit);
};

/// A layer or an operation.
struct PlannedLayer {
  std::string name;
  std::string module;
  std::string class_name;
  Json::Object config;
  std::vector<PlannedCall> calls;
  std::string fused_into = {};  // the layer whose activation it is, as an object
  std::string fused_as = {};    // its name there

  bool is_operation() const { return module != "keras.layers"; }
};

/// Its entry in the configuration of a Functional model.
Json layer_config(const PlannedLayer& layer);

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
