// What Keras says of a layer or a model beyond what it computes, and what was noted on the way from Keras: with both,
// the way back is exact. PyTorch has no use for it. docs/architecture_json.md has its JSON form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/data_format.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// Of a layer. All of it is unsaid where a layer never was in Keras, or is there as one of PyTorch's would be.
struct KerasOrigin {
  // Keras's own settings.
  std::optional<std::string> name = {};  // what Keras calls it, where not as the layer is called
  std::optional<bool> trainable = {};    // false: frozen, all of its parameters are; unsaid: trained
  Json::Object config = {};  // the others that are not at Keras's default: initialisers, regularisers, dtype

  // What it is in Keras, where that is not what one of PyTorch's would be.
  std::optional<std::string> class_name = {};
  std::optional<std::string> module = {};   // where the class lives, if not in keras.layers: "keras.src.ops.numpy"
  std::optional<std::string> variant = {};  // which of the class's words for the layer it is ("swish", not "silu");
                                            // empty: the other than usual, which old files have without a name
  bool unfit = false;                       // one of PyTorch's with these attributes would not be written as this class

  // How Keras's file says it.
  std::optional<std::string> fused_into = {};  // the layer whose activation it is
  std::optional<std::string> fused_as = {};    // its name there, which several may share
  Json::Object silent_arguments = {};          // of its call, by name: those that stand at their default
  Json::Object spelling = {};                  // settings that are spelled in the file's own way: axis 3 for -1

  // What Keras does not have as a layer.
  bool implied = false;   // a mask or a cast that Keras makes by itself
  bool inserted = false;  // a permute that a change of layout put in

  std::optional<DataFormat> folded_format = {};  // of a Flatten, which for PyTorch was folded into weights behind it

  bool operator==(const KerasOrigin&) const = default;
};

/// How Keras has the inputs and outputs of a graph that is PyTorch's now: Keras's is the architecture's permuted by the
/// axes.
struct KerasPorts {
  struct Port {
    std::string name;
    std::vector<std::int64_t> axes;
    bool operator==(const Port&) const = default;
  };
  std::vector<Port> inputs;   // by the inputs' names
  std::vector<Port> outputs;  // in the architecture's order, by Keras's names
  bool operator==(const KerasPorts&) const = default;
};

/// Of a model. It has a class if, and only if, the model was in Keras.
struct KerasModelOrigin {
  // Keras's own settings.
  std::optional<std::string> class_name = {};  // "Sequential", "Functional"
  std::optional<std::string> name = {};
  std::optional<bool> trainable = {};
  Json::Object config = {};  // others: the dtype policy
  /// What the paths of its variables begin with, of a model within the model that was built by another one.
  std::optional<std::string> variable_path = {};

  // How inputs and outputs are nested, as Keras's configuration has them, if it is in more than one list.
  std::optional<Json> input_layers = {};
  std::optional<Json> output_layers = {};
  /// Inputs, by name, in whose place Keras's call takes None, too.
  std::vector<std::string> optional_inputs = {};
  /// The layers that make outputs which have a mask: what is masked is not in the mean that is their loss.
  std::vector<std::string> masked_outputs = {};

  std::optional<DataFormat> data_format = {};  // that it goes back to; unsaid: channels_last
  /// The graph as Keras has it, in the JSON form of an architecture, where the layout pass would not find it again.
  std::optional<Json> original = {};
  /// Where the layout pass, which sees PyTorch's graph alone, cannot tell what the way from Keras moved.
  std::optional<KerasPorts> presented = {};

  bool operator==(const KerasModelOrigin&) const = default;
};

}  // namespace h5bridge
