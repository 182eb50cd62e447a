// The calls of a layer as Keras 2 wrote them, in the form of Keras 3.
#pragma once

#include <string>

#include "h5bridge/json.h"
#include "keras/call.h"

namespace h5bridge {

/// [[["x", 0, 0, {}], ["y", 1, 0, {}]]] as [{"args": [[x, y]], "kwargs": {}}]. `class_name` tells where further tensors
/// go: a recurrent layer's are its initial state. Calls that are in Keras 3's form stay. Throws MalformedFile for what
/// is no call.
Json nodes_in_keras_3(const Json& inbound_nodes, const std::string& class_name);

/// {"class_name": "__keras_tensor__", ...} for [layer, call, output].
Json keras_tensor(const Json& history);

}  // namespace h5bridge
