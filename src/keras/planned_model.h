// A Keras model that is being planned: its layers, those that are models among them, and its configuration.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/keras_origin.h"
#include "keras/planned_layer.h"

namespace h5bridge {

struct PlannedModel {
  std::string name;
  std::string scope = {};  // the architecture's that it is; empty: the whole
  KerasModelOrigin said;
  bool trainable = true;
  DType dtype = DType::Float32;      // of its policy
  std::vector<PlannedLayer> layers;  // input layers among them
  std::vector<KerasTensor> inputs;
  std::vector<KerasTensor> outputs;
  std::vector<std::string> output_names = {};  // where they are a dict

  /// Whether it came as Sequential and still is a chain of layers.
  bool is_sequential() const;
  /// Whether it is neither that nor what a wrapper does.
  bool is_functional() const;
  /// What the paths of its own layers' variables begin with: the name of a Sequential model, since it builds them.
  std::string variable_path() const;
  /// Puts the layers in the order in which Keras has them, and those of the models within; gives each a name that no
  /// other of its model has. A .h5 file's weights have to stand in that order.
  void settle();
  /// {"class_name": "Functional", "config": {...}}
  Json::Object configuration() const;
};

/// What the paths of variables in the last of these begin with, each of which is in the one before it. A wrapper builds
/// its layer where it is itself built.
std::string variable_path(const std::vector<const PlannedModel*>& within);

/// Calls `visit` with each layer that is no model, in order, with the models that it is in, the outermost first.
template <typename Visit>
void for_each_layer(const PlannedModel& model, Visit&& visit, std::vector<const PlannedModel*> within = {}) {
  within.push_back(&model);
  for (const PlannedLayer& layer : model.layers)
    if (layer.model)
      for_each_layer(*layer.model, visit, within);
    else
      visit(layer, within);
}

}  // namespace h5bridge
