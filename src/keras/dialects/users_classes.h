// Classes of users in a configuration of Keras 3. One may have the name of a class of Keras's ("Dense") and compute
// something else: "module" and "registered_name" beside it tell (serialize_keras_object of
// keras/src/saving/serialization_lib.py). Here each gets a name that no class of Keras's has, as it has in a .h5.
#pragma once

#include "h5bridge/json.h"

namespace h5bridge {

/// With the classes of users' models, layers, and what these wrap, called "package>Class" as they were registered, or
/// "module>Class".
Json with_users_classes(Json model_config);

/// Likewise an optimizer, and the one that it wraps.
Json with_users_optimizer(Json optimizer_config);

}  // namespace h5bridge
