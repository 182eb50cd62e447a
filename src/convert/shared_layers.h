// Layers that several models within a Keras model shared when it was saved: a .h5 file has a copy for each of them, and
// no word of it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "facets/keras/keras_plan.h"
#include "files/keras_h5.h"
#include "keras/tree.h"

namespace h5bridge {

/// Two layers as Keras names them ("inner/dense"), the first one first.
using SharedLayers = std::vector<std::pair<std::string, std::string>>;

/// The layers whose variables have the same paths in a file: Keras gives one to every variable, and no two of one path
/// to an optimizer. `weights`: what the file has, by layer.
SharedLayers layers_of_one_path(const std::vector<KerasLayerWeights>& weights);

/// The layers of a model, by their names.
class ConfiguredLayers {
 public:
  explicit ConfiguredLayers(const KerasModel& model);
  /// Whether two have the same class and the same settings.
  bool are_alike(const std::string& layer, const std::string& other) const;

 private:
  std::map<std::string, KerasLayer> layers_;
};

/// Those of `pairs` that were one layer in Keras, in the `model` of `file`: they are configured alike, and their
/// variables are equal; besides, the optimizer has variables for them, or they are no numbers that Keras starts with
/// (all alike), which say nothing.
SharedLayers shared_layers(const SharedLayers& pairs, const KerasFile& file, const KerasModel& model,
                           const std::vector<KerasLayerWeights>& weights);

/// The tensors of PyTorch's that two layers of `bound` make the same variables of.
std::vector<std::pair<std::string, std::string>> tensors_of_both(const std::pair<std::string, std::string>& layers,
                                                                 const KerasBindings& bound);

}  // namespace h5bridge
