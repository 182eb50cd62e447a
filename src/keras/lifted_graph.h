// The architecture that a Keras configuration is being read into, with what stands for each of Keras's tensors.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "h5bridge/architecture.h"
#include "keras/tree.h"
#include "passes/infer_types.h"

namespace h5bridge {

class LiftedGraph {
 public:
  Architecture architecture;
  Types types;  // of all values

  /// Whether nothing had the name so far; something has it from now on.
  bool take_name(const std::string& name) { return taken_names_.insert(name).second; }
  /// A name that no input, layer or node has.
  std::string new_name(const std::string& wanted);
  /// The ScopeCall whose nodes are added from now on; empty: of none.
  void enter(std::string scope_call) { scope_call_ = std::move(scope_call); }

  void add_input(const std::string& name, SymbolicShape shape, DType dtype);
  /// Sizes as Keras declares them, null where they are open. It does not say which open ones are equal, so that each
  /// gets a symbol of its own.
  SymbolicShape declared_shape(const Json& shape);
  void add_node(Node node);
  /// A layer that Keras's file does not have as one, and its call: a constant, a cast, a mask. Gives its output.
  Value add_layer(Layer layer, const std::string& name, std::vector<Value> inputs);
  /// The same under that name or another one like it.
  Value add_own_layer(Layer layer, const std::string& wanted_name, std::vector<Value> inputs) {
    return add_layer(std::move(layer), new_name(wanted_name), std::move(inputs));
  }
  /// Notes what a node's outputs are. `floats`: what the layer's floating-point tensors have, where it is not what its
  /// type declares.
  void set_types(const std::string& node, const Layer& layer, const std::vector<Value>& inputs,
                 std::optional<DType> floats = {});

  /// What a tensor of Keras's is.
  void give(const History& tensor, Value value) { values_[key(tensor)] = std::move(value); }
  /// nullptr for one that nothing has made.
  const Value* find(const History& tensor) const;
  const Value& value_of(const History& tensor) const { return values_.at(key(tensor)); }
  const SymbolicShape& shape_of(const History& tensor) const { return types.of(value_of(tensor)).shape; }
  std::vector<SymbolicShape> shapes_of(const std::vector<History>& tensors) const;
  std::vector<TensorType> types_of(const std::vector<Value>& values) const;

  /// Whether a value is made, in some steps, from what a node gives.
  bool is_made_from(const Value& value, const std::string& node) const;

 private:
  using Key = std::tuple<std::string, std::int64_t, std::int64_t>;
  static Key key(const History& history) { return {history.layer, history.call, history.tensor}; }

  std::map<Key, Value> values_;
  std::set<std::string> taken_names_;  // of inputs, layers and nodes
  std::string scope_call_;
  int open_sizes_ = 0;
};

}  // namespace h5bridge
