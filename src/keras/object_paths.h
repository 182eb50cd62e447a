// Where Keras 3's own formats (.keras, .weights.h5) have the variables of a model: by the attributes and lists that
// lead to an object, never by its name. "layers/dense_1" is the second Dense among a model's layers, "layers/lstm/cell"
// the cell of an LSTM (keras.src.saving.saving_lib).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "h5bridge/json.h"

namespace h5bridge {

/// Keras's name for objects of a class in a list: "conv2d" for Conv2D, "p_re_lu" for PReLU (utils/naming.py).
std::string snake_case(const std::string& class_name);

/// Every layer of a model with this configuration, in the form of Keras 3, and of the models within it, with its path:
/// by KerasBinding::layer, "encoder/dense" is at "layers/functional/layers/dense". Wrappers that have a variable
/// themselves are among them. In the configuration's order.
using ObjectPaths = std::vector<std::pair<std::string, std::string>>;
ObjectPaths object_paths(const Json& model_config);

/// WeightRule::object of a layer with this configuration: "cell/cells/lstm_cell" for "{cell/cells/0}". Members that are
/// not there add nothing.
std::string object_within(const std::string& object, const Json::Object& config);

/// Whether something within a layer with this configuration that leads to `object`, which is one that object_within
/// gives, is said to be frozen: one direction of a Bidirectional.
bool is_frozen_within(const std::string& object, const Json::Object& config);

}  // namespace h5bridge
