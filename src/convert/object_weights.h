// The weights of Keras 3's own formats, which stand by objects, as those of layers that a .h5 file has.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "facets/keras/keras_plan.h"
#include "files/keras_file.h"
#include "keras/tree.h"

namespace h5bridge {

/// The variables of `file`'s objects under the layers and the names that `bound` has for them. Layers are found as
/// `model` has them. What has no name stands at the end, by its path in the file.
std::vector<KerasLayerWeights> weights_of_objects(const KerasFile& file, const KerasBindings& bound,
                                                  const KerasModel& model);

/// The layers of a model, in its order ("encoder/dense").
std::vector<std::string> layers_with_objects(const KerasModel& model);

/// The planned `model` itself and its layers, as objects without variables yet; and what has those of a layer, its cell
/// for one.
std::vector<KerasObject> objects_of(const KerasPlan& plan, const KerasModel& model);

/// Where Keras has each variable of `bound`, in the order of its bindings and their variables: an object and a number.
struct ObjectPlace {
  std::string object;  // "layers/lstm/cell"
  std::size_t number = 0;
};
/// None for a layer that is not in the model.
std::vector<std::vector<std::optional<ObjectPlace>>> object_places(const KerasBindings& bound, const KerasModel& model);

}  // namespace h5bridge
