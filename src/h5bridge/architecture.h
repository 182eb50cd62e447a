// The architecture half of a model: a typed graph of layers. docs/architecture_json.md explains its JSON form.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "h5bridge/copy_on_write.h"
#include "h5bridge/data_format.h"
#include "h5bridge/dtype.h"
#include "h5bridge/json.h"
#include "h5bridge/keras_origin.h"
#include "h5bridge/size.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

struct Layer;

/// None, or a value of one of the kinds that an attribute can have.
/// An integer that is open until the model runs is a Size, and integers of which one is open are a SymbolicShape.
/// Layers that another one steps through time are a value of its own, and have no place in the graph.
using AttributeValue = std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                                    std::vector<double>, SymbolicShape, Tensor, DType, Size, std::vector<Layer>>;

/// The settings of a layer (docs/layers.md lists them). load() gives all that its type declares; of an architecture
/// that was made or changed in C++, save(), in_torch_layout() and to_module() check them, and take what is not set at
/// its default. The getters throw UsageError for a name that is not set, or is set with a value of another kind, and
/// Unsupported for integers that are open.
class Attributes {
 public:
  bool contains(std::string_view name) const;
  const AttributeValue& at(std::string_view name) const;
  void set(std::string_view name, AttributeValue value);

  bool is_none(std::string_view name) const { return std::holds_alternative<std::monostate>(at(name)); }
  bool boolean(std::string_view name) const { return get<bool>(name); }
  std::int64_t integer(std::string_view name) const { return get<std::int64_t>(name); }
  double number(std::string_view name) const { return get<double>(name); }
  const std::string& text(std::string_view name) const { return get<std::string>(name); }
  const std::vector<std::int64_t>& integers(std::string_view name) const {
    return get<std::vector<std::int64_t>>(name);
  }
  const std::vector<double>& numbers(std::string_view name) const { return get<std::vector<double>>(name); }
  const SymbolicShape& sizes(std::string_view name) const { return get<SymbolicShape>(name); }
  /// An integer, or integers, which may be open.
  Size open_integer(std::string_view name) const;
  SymbolicShape open_integers(std::string_view name) const;
  const Tensor& tensor(std::string_view name) const { return get<Tensor>(name); }
  DType dtype(std::string_view name) const { return get<DType>(name); }
  const std::vector<Layer>& layers(std::string_view name) const { return get<std::vector<Layer>>(name); }

  bool empty() const { return values_.read().empty(); }
  auto begin() const { return values_.read().begin(); }
  auto end() const { return values_.read().end(); }
  bool operator==(const Attributes&) const = default;

 private:
  using Values = std::vector<std::pair<std::string, AttributeValue>>;

  Values::const_iterator find(std::string_view name) const;
  template <typename T>
  const T& get(std::string_view name) const {
    if (const T* value = std::get_if<T>(&at(name))) return *value;
    throw_wrong_kind(name);
  }
  [[noreturn]] void throw_wrong_kind(std::string_view name) const;

  CopyOnWrite<Values> values_;
};

/// A layer: what holds parameters and settings. It may be called by several nodes.
struct Layer {
  std::string name;  // the PyTorch module path, "layer1.0.conv1", or a name made for a function, "relu_1"
  std::string type;  // a name in the registry: "Conv2d", "add"
  Attributes attributes;
  KerasOrigin keras;  // what Keras says of it beyond the computation: initialisers, trainable, dtype policy, ...
  bool operator==(const Layer&) const = default;
};

/// Output number `output` of the node or the input called `node`.
struct Value {
  std::string node;
  std::int64_t output = 0;
  auto operator<=>(const Value&) const = default;
};

/// A call of a layer. Most layers are called once, by a node of the same name.
struct Node {
  /// Values that are one operand together, some of which may be left out.
  using List = std::vector<std::optional<Value>>;
  /// What is given for one operand of the layer's type: nothing, a value, or a list.
  using Argument = std::variant<std::monostate, Value, List>;

  std::string name;
  std::string layer;
  std::vector<Argument>
      arguments;  // one for each operand (docs/layers.md has them in order); none at the end is left out
  /// Of this call alone, in place of the layer's: those of its type that are settings of a call.
  Attributes attributes = {};
  std::string scope_call = {};  // the ScopeCall that it is a part of; empty: of none
  bool operator==(const Node&) const = default;

  /// All that it takes, operand by operand.
  std::vector<Value> values() const;
};

/// The layer with what the node, which calls it, sets in place of its attributes.
Layer as_called(Layer layer, const Node& node);

struct Input {
  std::string name;
  SymbolicShape shape;  // with the batch axis
  DType dtype = DType::Float32;
  bool operator==(const Input&) const = default;
};

struct Output {
  std::string name;  // the key where a forward returns a dict; otherwise empty
  Value value;
  std::string keras_layer = {};  // the Keras layer that makes it, in a model that Keras's files are read into
  /// Whether it is the same output, whatever a file calls it.
  bool operator==(const Output& other) const { return name == other.name && value == other.value; }
};

/// A part of the graph that is defined once and called as a whole: a model within a model. Its layers and calls stand
/// among the architecture's own, so that what computes needs to know nothing of it; a layer `dense` of the scope
/// `encoder` is called `encoder.dense`.
struct Scope {
  std::string name;
  std::vector<Input> inputs;  // as it declares them: a size that is open there may be known to its callers
  KerasModelOrigin keras;     // what Keras says of the model
  bool operator==(const Scope&) const = default;
};

/// A call of a scope. All calls of one make the same calls of its layers.
struct ScopeCall {
  std::string name;
  std::string scope;
  std::string parent;            // the ScopeCall that it is a part of; empty: of none
  std::vector<Value> arguments;  // one for each input of the scope
  std::vector<Value> results;    // what it gives, in the scope's order: values of its nodes, or arguments
  Node::List masks;              // of the arguments, where Keras's call is told them; none at the end is left out
  Json::Object keras_arguments;  // further ones of Keras's call, which do not change what is computed: training=False
  bool operator==(const ScopeCall&) const = default;

  /// All that it names: arguments, results and masks.
  std::vector<Value> values() const;
};

struct Architecture {
  std::string name;
  std::vector<Input> inputs;
  std::vector<Layer> layers;
  std::vector<Node> nodes;  // in an order in which every value is made before it is used
  std::vector<Output> outputs;
  std::vector<std::pair<std::string, std::string>>
      aliases;                          // further names of tensors in the state_dict: a module that is registered twice
  std::vector<std::string> unused;      // tensors of the state_dict that nothing computes with
  std::vector<std::string> state_dict;  // all of its names, in PyTorch's order of registration; empty where not known
  std::vector<std::string> buffers;     // those of them that are buffers
  std::vector<std::string> frozen;      // parameters with requires_grad=False, unless Model::trainable has them
  std::vector<std::vector<std::string>> ties;  // parameters that are one; named_parameters() gives the first name
  std::vector<std::string> notes;              // what forward does and no layer says (no_grad), a line each
  KerasModelOrigin keras;                      // what Keras says of the model itself: its class, its name, ...
  std::vector<Scope> scopes;
  std::vector<ScopeCall> scope_calls;

  const Layer* find_layer(std::string_view wanted) const;
  Layer* find_layer(std::string_view wanted);
  /// As it was defined: what the call sets otherwise stands in the node.
  const Layer& layer_of(const Node& node) const;
  const Input* find_input(std::string_view wanted) const;
  const Node* find_node(std::string_view wanted) const;
  bool operator==(const Architecture&) const = default;
};

/// `wanted`, or `wanted_1`, `wanted_2`, ... : the first for which `taken` says no.
template <typename Taken>
std::string unique_name(const std::string& wanted, Taken&& taken) {
  if (!taken(wanted)) return wanted;
  for (int count = 1;; ++count)
    if (std::string name = wanted + "_" + std::to_string(count); !taken(name)) return name;
}

}  // namespace h5bridge
