// What writes the Keras side of one call of a layer.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "h5bridge/architecture.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// Emits Keras layers and operations for one call of a layer. Values are opaque handles.
class KerasEmitter {
 public:
  using Handle = std::size_t;
  /// Values some of which may be None.
  using List = std::vector<std::optional<Handle>>;
  /// A value, a list of values, or a constant.
  using Argument = std::variant<Handle, std::vector<Handle>, List, Json>;

  /// What one call of a layer makes: its outputs, in order.
  struct Results {
    std::vector<Handle> values;
    Results(Handle value) : values{value} {}
    Results(std::vector<Handle> several) : values(std::move(several)) {}
    Handle first() const { return values.at(0); }
  };

  /// A call of a Keras layer or operation.
  struct Call {
    std::string suffix = {};              // empty: the layer itself, with its name; others are named after it
    std::string module = "keras.layers";  // or that of an operation: "keras.src.ops.numpy"
    std::string class_name;
    Json::Object config = {};
    std::vector<Argument> arguments;
    std::vector<std::pair<std::string, Argument>> keywords = {};
    std::vector<SymbolicShape> outputs;  // their shapes; their element types follow
  };

  virtual ~KerasEmitter() = default;
  virtual const std::vector<SymbolicShape>& input_shapes() const = 0;
  virtual const std::vector<SymbolicShape>& output_shapes() const = 0;
  const SymbolicShape& output_shape() const { return output_shapes().at(0); }
  virtual Handle input(std::size_t i) const = 0;
  std::vector<Handle> inputs() const;
  /// What the call gives by name besides ("mask"). The layer itself gets them as keywords; helpers do not.
  virtual const std::vector<std::pair<std::string, Argument>>& named_inputs() const = 0;
  /// Whether two inputs are one value.
  virtual bool are_one(std::size_t i, std::size_t j) const = 0;
  virtual const SymbolicShape& shape(Handle value) const = 0;
  /// As Keras has it when it runs; of what a layer gives that computes in floats, as of float32.
  virtual DType dtype(Handle value) const = 0;
  /// A value that has an axis of this size, and that axis: what tells an open size when the model runs. None if nothing
  /// has one.
  virtual std::optional<std::pair<Handle, std::int64_t>> axis_of_size(const Size& size) = 0;
  /// PyTorch's type of the layer's output where it is one of integers that `lower` may see to. None where what Keras
  /// makes of them is meant: the layer came from there.
  virtual std::optional<DType> integers() const = 0;
  bool has_int64() const { return integers() == DType::Int64; }
  /// Whether anything uses output `output` of the layer, in any of its calls.
  virtual bool is_used(std::size_t output) const = 0;
  /// The handles of its outputs.
  virtual std::vector<Handle> call(Call call) = 0;

  /// The layer itself, which has its name and its weights, as the mapping's class; its outputs are those of our layer.
  virtual Results main(Json::Object config, std::vector<Handle> inputs) = 0;
  /// A helper layer before or after the main one, named after it with `suffix`: one of our own types, without weights.
  virtual Handle layer(const std::string& suffix, const std::string& type, const Attributes& attributes,
                       Handle input) = 0;
};

}  // namespace h5bridge
