// A model as Keras has it: configuration, and which variables hold which tensors. The exporter reads the bindings of
// what it plans forwards, the importer those of what it has read backwards.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "facets/spec/weight_rule.h"
#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

/// Tensors that together are the variables of one Keras layer.
struct KerasBinding {
  struct Source {
    std::string name;               // in the state_dict
    std::vector<WeightStep> steps;  // of the layout pass, before the rule's own
  };
  std::vector<Source> torch;
  std::vector<Source> given;           // tensors of other bindings that the steps take besides
  std::string layer;                   // Keras's; "encoder/dense" for one of a model within the model
  std::string group;                   // of a .h5 file's weights: the layer of the model itself, "encoder"
  std::string scope;                   // the architecture's that it is in; empty: none
  std::string path;                    // what its variables' paths begin with, once in its group: "dense/"
  std::string slot_path;               // likewise in an optimizer, once in all
  bool in_frozen_group = false;        // an inner model, or the layer, is frozen, whatever it has within: all in order
  std::string object;                  // what of the layer has them, by the attributes that lead there: "cell"
  std::vector<std::string> objects;    // likewise of each variable, where they are not all in one
  std::vector<std::string> variables;  // "kernel"
  std::vector<WeightStep> steps;
  bool trainable = true;
  bool frozen = false;           // the layer's `trainable` is off: optimizers pass it by
  bool is_wrappers_own = false;  // a variable of the layer that `scope` is in Keras, which no tensor of PyTorch's holds
  bool is_trained() const { return trainable && !frozen; }
  /// Whether the group is a model or a wrapper, of whose layers it has all variables.
  bool is_within() const { return group != layer || is_wrappers_own; }
  /// Whether it stands behind the trained variables of the model's layer that it is in
  /// (legacy/saving/legacy_h5_format.py, _legacy_weights).
  bool is_saved_last() const { return !in_frozen_group && !is_trained(); }
};

/// Which variables of a Keras model hold which tensors: all that reading its file takes.
struct KerasBindings {
  std::vector<KerasBinding> bindings;       // in Keras's order of layers; within a layer, trainable ones first
  std::map<std::string, Tensor> residuals;  // tensors that Keras has no place for, with what stands in for them
  std::set<std::string> constants;          // those of them that are constants of the Keras model
  std::vector<std::string> output_names;    // the Keras layer that makes each output
  std::map<std::string, std::string> tied;  // tensors whose variable is that of another, by that one's name
};

/// A model as it is to be written.
struct KerasPlan : KerasBindings {
  Json::Object model_config;             // {"class_name": "Functional", "config": {...}}
  std::vector<std::string> layer_names;  // of all layers, not of operations, in order
  std::vector<std::string> notes;        // what Keras computes otherwise, a line each
  std::map<std::string, Json> builds;    // what Keras's archives say of how layers with weights were built
};

/// The Keras name of a PyTorch path: without '.' and '/', which Keras cannot have in names.
std::string keras_name(const std::string& path);

}  // namespace h5bridge
