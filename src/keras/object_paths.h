// Where Keras 3's own formats (.keras, .weights.h5) have the variables of a model: by the attributes and lists that
// lead to an object, never by its name. "layers/dense_1" is the second Dense among a model's layers, "layers/lstm/cell"
// the cell of an LSTM (keras.src.saving.saving_lib).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "h5bridge/json.h"
#include "keras/tree.h"

namespace h5bridge {

/// Keras's name for objects of a class in a list: "conv2d" for Conv2D, "p_re_lu" for PReLU (utils/naming.py).
std::string snake_case(const std::string& class_name);

/// Every layer of a model and of the models within it, with its path:
/// by KerasBinding::layer, "encoder/dense" is at "layers/functional/layers/dense". Wrappers that have a variable
/// themselves are among them. In the configuration's order.
using ObjectPaths = std::vector<std::pair<std::string, std::string>>;
ObjectPaths object_paths(const KerasModel& model);

/// WeightRule::object of a layer with this configuration: "cell/cells/lstm_cell" for "{cell/cells/0}". Members that are
/// not there add nothing.
std::string object_within(const std::string& object, const Json::Object& config);

/// What a configuration says of whether a variable is trained once Keras has loaded it.
enum class Said {
  Trained,
  Frozen,
  Unheeded,  // the layer is frozen, and its variables are those of layers that it makes later and does not tell so
};

/// Of a variable of the object that `object`, one that object_within gives, leads to within a layer of this class and
/// with this configuration. The `trainable` of the object itself counts, whatever those around it say (keras 3.15,
/// layers/layer.py, _track_variable).
Said trained_within(const std::string& class_name, const Json::Object& config, const std::string& object);

/// Makes what the configuration has within (what is wrapped, cells) say that it is frozen.
void freeze_within(Json::Object& config);

}  // namespace h5bridge
