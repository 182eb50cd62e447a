// The Keras facet of a layer type: configuration to attributes and back, and the weight rules. Rows of correspondences
// are read both ways; only where one Keras layer cannot say what PyTorch means does a mapping bring code of its own.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "facets/keras/keras_emitter.h"
#include "facets/spec/dtype_rule.h"
#include "facets/spec/weight_rule.h"
#include "h5bridge/architecture.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// How a value is spelled on the other side.
struct Spelling {
  std::function<Json(const AttributeValue&)> to_keras;
  std::function<AttributeValue(const Json&)> from_keras;
};

namespace spelling {
Spelling boolean();
Spelling integer();
Spelling number();
/// An integer or a float.
Spelling scalar();
/// One axis or a list of them; None means all.
Spelling axes();
/// A list of integers; Keras may have one for a list of one.
Spelling integer_list();
Spelling text();
/// Text, or None.
Spelling text_or_none();
/// An element type by its name. Throws Unsupported for one that no tensor has.
Spelling dtype();
/// `length` integers; Keras also takes one for all.
Spelling integers(std::size_t length);
/// null for None.
Spelling or_none(Spelling spelling);
/// 1 - value: batch normalisation's momentum.
Spelling one_minus();
/// An activation by name; null is "linear". Throws Unsupported for any other activation object.
Spelling activation();
}  // namespace spelling

struct Correspondence {
  std::string attribute;
  std::string keras;
  Spelling spelling;
  std::optional<AttributeValue> when_absent = {};  // for keys that Keras does not always write
};

/// A layer or operation of Keras's own, which the tests build in real Keras and take to PyTorch and back.
struct KerasSample {
  std::string what;     // names the test case
  Json::Object config;  // arguments of the constructor
  std::vector<Shape> inputs;
  Json::Object call = {};                                 // constants among the arguments of the call
  std::int64_t ids_below = 0;                             // where positive, the inputs are integers below it
  std::optional<std::pair<double, double>> between = {};  // where the inputs lie, if they may not be any numbers
};

/// Where a difference in training is worth a line.
enum class Matters {
  Always,          // in Keras; trained anew, the network is another one
  ToATrainingRun,  // it only keeps a run that goes on in the other framework from going on alike
  InPyTorch        // likewise, and it is PyTorch that has no word for it
};

/// What a setting means in training, where one framework has no word for it. It is written without, and said.
struct UnsaidSetting {
  std::string attribute;  // empty: it is what the class does
  std::function<bool(const Attributes&)> is_on;
  std::string becomes;  // "PyTorch leaves that row alone in training, Keras trains it"
  Matters matters = Matters::Always;
};

/// How the class of one layer is written where it does the work of another, with which it shares its tensor, as well.
struct SharedUse {
  std::string type;          // ours, of the other
  std::string class_name;    // Keras's for both
  Json::Object config = {};  // what that class has besides
  Json::Object call = {};    // constants of the call that stands for the other
  /// Whether it can stand for the other, given the attributes of the two.
  std::function<bool(const Attributes& own, const Attributes& other)> fits;
  std::string other_class;  // Keras's, of a layer that does nothing else, and its settings, given those of this one
  std::function<Json::Object(const Json::Object& own)> other_config;
};

/// A parameter of the call that is a list of what are operands of their own here: masks.
struct ListParameter {
  std::string name;
  std::vector<std::string> operands;  // in its order; empty for what takes no part in the computation
};

/// What a layer of Keras's makes of integers (seen on JAX with 3.15.1).
enum class OfIntegers {
  AsFloats,  // what it would make of the same numbers in floats; or they stay, as its type says
  Rounded,   // the same, to the nearest integer, and within the range of their type
  NotKnown,  // they overflow on the way, or lose their fractions in a step of it
};

struct KerasMapping {
  std::string type;        // ours
  std::string class_name;  // in keras.layers
  /// What Python calls the class, where keras.layers has another name for it: so do .h5 files, and paths of objects.
  std::string python_name = {};
  /// What tells it from the other one of its class for its type. It stands in files: it stays as it is.
  std::string variant = {};
  std::vector<Correspondence> attributes = {};
  /// Configuration fixed by the mapping: what is written, and what must be there for the mapping to apply.
  Json::Object fixed = {};
  /// Keys that say nothing of the computation, with what Keras's constructor has for them; carried in
  /// Layer::keras.config.
  Json::Object carried = {};
  /// Fills in the attributes that Keras derives from its input (in_features). Throws MalformedFile.
  std::function<void(Attributes&, const std::vector<SymbolicShape>&)> derive = [](Attributes&,
                                                                                  const std::vector<SymbolicShape>&) {};
  /// Whether this mapping is the one that reads a configuration with inputs of these shapes (BatchNorm1d, 2d, 3d).
  std::function<bool(const std::vector<SymbolicShape>&)> accepts = [](const std::vector<SymbolicShape>&) {
    return true;
  };
  /// Likewise, whether it is the one for this configuration (a wrapper's, whose inner layer tells the type).
  std::function<bool(const Json::Object&)> reads = [](const Json::Object&) { return true; };
  /// Whether this mapping can write a layer with these attributes and inputs; the first of a type that can does.
  std::function<bool(const Attributes&, const std::vector<SymbolicShape>&)> fits =
      [](const Attributes&, const std::vector<SymbolicShape>&) { return true; };
  /// Attributes that `lower` can write where they are open; no row writes them then. Any other has to be a number.
  std::vector<std::string> open = {};
  /// The weight rules, given the shapes of the inputs of the layer's first call.
  std::function<WeightRules(const Attributes&, const std::vector<SymbolicShape>&)> weights =
      [](const Attributes&, const std::vector<SymbolicShape>&) { return WeightRules{}; };
  /// Writes the layer, given the configuration that the rows make; throws Unsupported where Keras cannot say it.
  std::function<KerasEmitter::Results(const Attributes&, Json::Object config, KerasEmitter&)> lower = emit_main;
  /// Takes what rows cannot say out of a configuration (and an operation's constants), before the rows read it.
  std::function<void(Json::Object& config, Attributes&, const std::vector<SymbolicShape>&)> lift =
      [](Json::Object&, Attributes&, const std::vector<SymbolicShape>&) {};
  /// What reads the class is the mapping of another type; or there is no one class, but a composition ("").
  bool written_only = false;
  /// For each of our inputs its place among the tensors that Keras's call takes, given how many there are; empty where
  /// they stand in our order.
  std::function<std::vector<std::size_t>(std::size_t)> places = {};
  /// Whether its call takes the masks of its inputs when it runs, and the file does not say so.
  bool takes_masks_unsaid = false;
  /// Several inputs are handed to the call as one list (Add, Concatenate).
  bool inputs_as_list = false;
  /// Of the keys that all Keras layers have, those that this class's constructor refuses.
  std::vector<std::string> refused = {};
  /// Where the class lives: keras.layers, or the module of an operation.
  std::string module = "keras.layers";
  /// The parameters of the call, in order, where there is more to it than tensors: ("x1", "x2"). Rows with these keys
  /// are constants of the call; none is written for an attribute that is None.
  std::vector<std::string> call = {};
  std::vector<ListParameter> lists = {};
  /// The element types of its outputs, where Keras's are others than PyTorch's.
  std::optional<DTypeRules> dtypes = {};
  /// Whether it casts integers among its inputs to the first of them, and not what comes of them.
  bool casts_inputs = false;
  /// Whether `lower` sees to it that integers stay in PyTorch's type.
  bool keeps_integers = false;
  /// What it makes of integers of a type among its inputs.
  std::function<OfIntegers(const Attributes&, DType)> of_integers = [](const Attributes&, DType) {
    return OfIntegers::AsFloats;
  };
  std::vector<UnsaidSetting> unsaid = {};
  /// What other layers it can stand for, too.
  std::vector<SharedUse> shared_uses = {};
  std::vector<KerasSample> samples = {};

  bool is_operation() const { return module != "keras.layers"; }
  /// The list of this name; nullptr if the parameter is none.
  const ListParameter* find_list(std::string_view parameter) const;
  /// Whether a constant of a layer's call is what the layer does where nothing is said.
  bool says_nothing(std::string_view parameter, const Json& constant) const;

  static KerasEmitter::Results emit_main(const Attributes&, Json::Object config, KerasEmitter& emitter);
};

/// Has the call of a layer take `training`, which its type has as an attribute.
void take_training(KerasMapping& mapping);

/// `mapping`, which computes with unsigned integers as such: differences that are negative are large ones.
KerasMapping overflowing_unsigned(KerasMapping mapping);

/// `mapping`, which is another of its class for its type.
KerasMapping as_variant(std::string name, KerasMapping mapping);

/// The initialisers, regularisers and constraints of `weights` ("kernel", "bias"), as `carried` wants them.
Json::Object carried_for(const std::vector<std::pair<std::string, std::string>>& weights,
                         bool activity_regularizer = true);

/// The configuration that the rows, the fixed and the carried keys make of a layer; with the constants of its call.
Json::Object config_of(const KerasMapping& mapping, const Layer& layer);

/// Whether the mapping can write a layer of its type with these attributes, of which some may be open.
bool can_write(const KerasMapping& mapping, const Attributes& attributes, const std::vector<SymbolicShape>& inputs);
/// The layer that a configuration, joined by the constants of its call, describes, without name and carried keys that
/// stand at Keras's own values; nullopt if the mapping does not fit it. Throws MalformedFile for a value of the wrong
/// kind, Unsupported for an unknown key.
std::optional<Layer> layer_from_config(const KerasMapping& mapping, const Json::Object& config,
                                       const std::vector<SymbolicShape>& inputs);

/// What is unsaid of a layer, a line each: "layer \"tokens\" (Embedding): padding_idx = 0: ...".
std::vector<std::string> unsaid_settings(const Layer& layer, Matters matters);

}  // namespace h5bridge
