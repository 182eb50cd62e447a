// The order of a Keras model's layers. A .h5 file's weights are loaded by this order, not by their names.
#pragma once

#include <compare>
#include <cstddef>
#include <vector>

namespace h5bridge {

/// Call number `call` of layer number `layer`.
struct KerasCallId {
  std::size_t layer = 0;
  std::size_t call = 0;
  auto operator<=>(const KerasCallId&) const = default;
};

/// For each layer, for each of its calls: the calls that made its inputs. An input layer has one call, without inputs.
using KerasGraph = std::vector<std::vector<std::vector<KerasCallId>>>;

/// The layers in the order that Keras gives a model with these outputs: by depth, the farthest from the outputs first,
/// and among those of a depth as a walk from the outputs backwards meets them (keras.src.ops.function.map_graph).
/// Layers that no output depends on count as depth 0 and come first there.
std::vector<std::size_t> keras_order(const KerasGraph& graph, const std::vector<KerasCallId>& outputs);

}  // namespace h5bridge
