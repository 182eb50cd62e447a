// What a file of Keras's holds, whatever its format: configurations, and lists of variables by layer or by object.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

struct KerasVariable {
  std::string path;  // as in weight_names: "dense/kernel", "sequential/dense/kernel", "dense/kernel:0"
  Tensor tensor;
};

struct KerasLayerWeights {
  std::string layer;
  std::vector<KerasVariable> variables;  // in the file's order: trainable, then non-trainable
};

/// An object of a model, as Keras 3's own formats have it (files/keras_objects.h).
struct KerasObject {
  std::string path;               // "layers/dense"; "" is the model itself
  std::string name;               // the object's own, which need not be the same in the next run; "" if not stated
  std::vector<Tensor> variables;  // by their numbers
};

struct KerasFile {
  std::string format = "keras-h5";  // as recognised: "keras" and "keras-weights" have `objects` in place of `layers`
  Json model_config;                // null if the file holds weights only
  bool has_model_config = false;    // whether there is one, be it "null"
  bool is_edited = false;           // another program changed it since we put an architecture of ours beside it
  Json training_config;             // null if the model was not compiled
  std::string keras_version;        // "3.15.1"; "" in files of Keras 1
  std::string backend;
  std::vector<KerasLayerWeights> layers;  // in the order of layer_names, those without variables included
  std::vector<KerasVariable> top_level;
  std::vector<KerasObject> objects;
  std::vector<KerasVariable> optimizer;
  std::string optimizer_left_out;             // why it is not here, though the file has one
  std::vector<std::string> inner_optimizers;  // the models within the model that have one of their own, by their names
  Json extra;                                 // null if the file does not come from h5bridge
  std::vector<NamedTensor> extra_tensors;
};

}  // namespace h5bridge
