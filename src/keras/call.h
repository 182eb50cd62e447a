// The calls of Keras's layers, as the inbound_nodes of a configuration have them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "facets/keras/mapping.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// A tensor in inbound_nodes and in input_layers: [layer, call, output].
struct History {
  std::string layer;
  std::int64_t call;
  std::int64_t tensor;
  bool operator==(const History&) const = default;
};

bool is_history(const Json& json);
/// Throws MalformedFile for what is none.
History history_of(const Json& json);

/// Marks a call of Keras 2 in the form of Keras 3: it hands the mask of its first input on whatever else it takes.
inline constexpr const char* kHandsMaskOn = "hands_mask_on";

/// The arguments of a call.
struct CallArguments {
  /// One tensor or a list of them, in which None may stand.
  struct Tensors {
    std::vector<std::optional<History>> elements;
    std::string text = {};       // of a list in which others stand, too: for messages
    bool has_constants = false;  // others than None
  };
  /// Tensors, or a constant.
  using Argument = std::variant<Tensors, Json>;

  std::vector<Argument> positional;
  std::vector<std::pair<std::string, Argument>> keywords;
  bool is_keras_3 = false;

  /// Those of a node of Keras 3, or of 1 and 2.
  static CallArguments from_node(const Json& node);

  /// Whether Keras hands the mask of its input to the call by itself. Keras 3 does so beside no other tensor: not to an
  /// LSTM that is given a state.
  bool takes_implied_mask() const;
  /// Whether Keras 3 would do so for these arguments.
  bool hands_mask_to_keras_3() const;
  std::vector<History> tensors() const;
};

/// A call as a mapping sees it.
struct BoundCall {
  std::vector<History> inputs;
  std::vector<std::pair<std::string, History>> named;  // those that the type takes by name
  Json::Object constants;
};

/// Assigns the arguments to the parameters of the mapping's call. Throws Unsupported for one that it has no place for:
/// tensors keep their places in a list, so that one beside None is refused but for lists that the mapping knows.
BoundCall bound(const CallArguments& arguments, const KerasMapping& mapping);

}  // namespace h5bridge
