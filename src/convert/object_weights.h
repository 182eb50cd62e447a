// The weights of Keras 3's own formats, which stand by objects, as those of layers that a .h5 file has.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "facets/keras/plan.h"
#include "files/keras_file.h"

namespace h5bridge {

/// The variables of `file`'s objects under the layers and the names that `plan` has for them. Layers are found as the
/// file's own configuration has them, or, where it has none, as the plan's has. What the plan does not name stands at
/// the end, by its path in the file.
std::vector<KerasLayerWeights> weights_of_objects(const KerasFile& file, const KerasPlan& plan);

/// The layers of the file's configuration, in its order ("encoder/dense").
std::vector<std::string> layers_with_objects(const KerasFile& file);

/// The model itself and its layers, as objects without variables yet; and what has those of a layer, its cell for one.
std::vector<KerasObject> objects_of(const KerasPlan& plan);

/// Where Keras has each variable of `plan`, in the order of its bindings and their variables: an object and a number.
struct ObjectPlace {
  std::string object;  // "layers/lstm/cell"
  std::size_t number = 0;
};
/// None for a layer that is not in the configuration.
std::vector<std::vector<std::optional<ObjectPlace>>> object_places(const KerasPlan& plan, const Json& model_config);

}  // namespace h5bridge
