// What a layer type is: its attributes, parameters, shapes, element types and behaviour under a change of layout. A
// family's spec.cpp makes these; the JSON Schema, docs/layers.md and the registry-driven tests are generated from them.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "facets/spec/attributes/vocabulary.h"
#include "facets/spec/dtype_rule.h"
#include "facets/spec/layout_rule.h"
#include "facets/spec/mask_rule.h"
#include "facets/spec/operand.h"
#include "h5bridge/architecture.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

class LayerType;

/// Throws MalformedFile saying which attribute is wrong and why; fills defaults in. `where` names the layer.
Attributes attributes_from_json(const LayerType& type, const Json::Object& json, const std::string& where);
/// The same of attributes that a program set: throws UsageError, and takes values of the declared kinds alone.
Attributes complete_attributes(const LayerType& type, const Attributes& given, const std::string& where);
/// What a call sets in place of attributes of its layer, which has all of its own. Throws as attributes_from_json
/// does, for attributes that are no settings of a call as well; what the layer has itself is left out.
Attributes call_attributes_from_json(const LayerType& type, const Json::Object& json, const Attributes& of_layer,
                                     const std::string& where);
/// The same of attributes that a program set: throws UsageError.
Attributes complete_call_attributes(const LayerType& type, const Attributes& given, const Attributes& of_layer,
                                    const std::string& where);
/// With numbers in place of the symbols in `sizes`.
Attributes with_sizes(const LayerType& type, Attributes attributes, const std::map<std::string, std::int64_t>& sizes);
/// The names of attributes that are integers, and open.
std::vector<std::string> open_integers(const LayerType& type, const Attributes& attributes);
/// Only the attributes that are not at their default.
Json::Object attributes_to_json(const LayerType& type, const Attributes& attributes);

enum class Role { Parameter, Buffer };

struct ParameterSpec {
  std::string name;  // as in the state_dict: "weight", "running_mean"; empty where the layer is itself the tensor
  Shape shape;
  Role role = Role::Parameter;
  DType dtype = DType::Float32;
};

/// A configuration that the registry-driven tests take through every facet.
struct Sample {
  std::string what;  // names the test case
  Json::Object attributes;
  std::vector<Shape> inputs;
  bool in_keras = true;  // false: Keras cannot say it, which the tests then want to be an error that names the layer
  std::int64_t ids_below = 0;                             // where positive, the inputs are integers below it
  std::vector<std::size_t> batch_axes = {};               // of each input; all 0 where empty
  std::optional<std::pair<double, double>> between = {};  // where the inputs lie, if they may not be any numbers
  std::map<std::size_t, std::vector<std::int64_t>> integers = {};  // the inputs that are these numbers, of type int64

  static constexpr std::size_t kNoBatch =
      std::numeric_limits<std::size_t>::max();  // an input's batch axis, if it has none
  std::size_t batch_axis(std::size_t input) const { return batch_axes.empty() ? 0 : batch_axes.at(input); }
  /// The inputs' shapes with the batch open.
  std::vector<SymbolicShape> open_inputs() const;
};

/// What Keras's layers do with integers (seen on JAX with 3.15.1; floats alone are cast by a dtype policy).
enum class Integers {
  Stay,          // pooling by the largest, padding, dropout, sums, ReLU
  BecomeFloats,  // before anything is computed: weights, means, exponentials
  AreIndices,    // into a table of floats
};

/// One of several: layers of a group in one place compute the same only if they are the same one of it.
struct Choice {
  std::string group = {};  // "function"; empty where nothing of the kind is known
  std::string which = {};
};

class LayerType {
 public:
  std::string name;     // PyTorch's: "Conv2d", "add"; Keras's where only Keras has it
  std::string summary;  // a line for docs/layers.md
  std::string source;   // the file of PyTorch or Keras that defines the behaviour
  std::vector<AttributeSpec> attributes;
  /// What a call takes. Shapes and element types do not depend on what is given by name.
  std::vector<Operand> operands = {required("input")};

  std::function<std::vector<ParameterSpec>(const Attributes&)> parameters = [](const Attributes&) {
    return std::vector<ParameterSpec>{};
  };
  /// Shapes of the outputs, from those of the inputs; throws MalformedFile where they do not fit.
  std::function<std::vector<SymbolicShape>(const Attributes&, const std::vector<SymbolicShape>&)> shapes = same_shape;
  /// Element types of the outputs, likewise.
  DTypeRules dtypes = promotes();
  Integers integers = Integers::Stay;
  MaskRule mask = drops_mask();
  bool is_identity = false;  // in evaluation, whatever its attributes say
  /// Whether it computes each row of a batch by itself in evaluation: along the first axis of all inputs and outputs
  /// that have the batch. What nothing is said of may mix rows (passes/rows.h).
  std::function<bool(const Attributes&)> keeps_rows_apart = [](const Attributes&) { return false; };
  Choice choice = {};
  /// The same said by a more general type, where there is one: ReLU6 by ReLU.
  std::function<std::optional<Layer>(const Attributes&)> general = [](const Attributes&) { return std::nullopt; };
  LayoutRule layout = keeps_original_layout();
  /// Brings attributes that depend on one another into one form: a constant's elements into its dtype and shape. Throws
  /// MalformedFile where they do not fit.
  std::function<void(Attributes&)> settle = [](Attributes&) {};
  /// Throws MalformedFile or Unsupported for combinations that no single attribute shows to be wrong.
  std::function<void(const Attributes&)> check = [](const Attributes&) {};
  std::vector<Sample> samples;

  const AttributeSpec* find_attribute(std::string_view attribute) const;
  /// All attributes at their defaults; required ones are missing.
  Attributes defaults() const;
  /// Shapes and element types of the outputs of a call. `floats`: what the layer's floating-point tensors have, where
  /// it is not what the type declares.
  std::vector<TensorType> outputs(const Attributes& settings, const std::vector<TensorType>& inputs,
                                  std::optional<DType> floats = {}) const;

  static bool always(const Attributes&) { return true; }
  static std::vector<SymbolicShape> same_shape(const Attributes&, const std::vector<SymbolicShape>& inputs) {
    return {inputs.at(0)};
  }
};

/// The name of a layer's parameter in the state_dict; that of a layer which is a tensor has no name of its own.
std::string tensor_name(const std::string& layer, const std::string& parameter);

/// "layer "conv1" (Conv2d)": how messages name a layer.
std::string describe(const Layer& layer);

/// The index of the channel axis of a tensor of `rank` axes.
std::int64_t channel_axis(const Attributes& attributes, std::int64_t rank);
/// Index i of an axis counted from the end if negative; throws MalformedFile outside of [-rank, rank).
std::int64_t resolve_axis(std::int64_t axis, std::int64_t rank);

}  // namespace h5bridge
