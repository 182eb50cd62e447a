// The settings of one layer of Keras 0 or 1 by Keras 2's names: names.def.
#pragma once

#include <string>

#include "h5bridge/json.h"

namespace h5bridge {

/// Keras 2's name of a class.
std::string class_in_keras_2(const std::string& class_name);

/// `config` with Keras 2's keys and values. `ordering`, "th" or "tf", stands for a dim_ordering that a layer does not
/// say. Throws Unsupported for a value that Keras 3 has nothing like.
Json::Object settings_in_keras_2(const std::string& class_name, const Json::Object& config,
                                 const std::string& ordering);

/// Whether a layer of that class has its channels first.
bool is_channels_first(const Json::Object& config, const std::string& ordering);

/// "glorot_uniform", a regularizer or a constraint, for a setting of Keras 2's name.
Json value_in_keras_2(const std::string& key, const Json& value);

}  // namespace h5bridge
