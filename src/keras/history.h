// Where Keras's configurations say that a tensor comes from.
#pragma once

#include <cstdint>
#include <string>

#include "h5bridge/json.h"

namespace h5bridge {

/// Output `tensor` of call number `call` of a layer: [layer, call, tensor] in inbound_nodes, input_layers and
/// output_layers.
struct History {
  std::string layer;
  std::int64_t call = 0;
  std::int64_t tensor = 0;
  bool operator==(const History&) const = default;
};

bool is_history(const Json& json);
/// Throws MalformedFile for what is none.
History history_of(const Json& json);

/// Marks a call of Keras 2 in the form of Keras 3: it hands the mask of its first input on whatever else it takes.
inline constexpr const char* kHandsMaskOn = "hands_mask_on";

}  // namespace h5bridge
