// What the versions of Keras wrote otherwise than 3.15 does, as rows: one file of rows, derived from Keras's own
// sources by tools/dialects/derive.py.
#pragma once

#include <string>
#include <string_view>

#include "h5bridge/json.h"
#include "keras/dialects/version.h"

namespace h5bridge {

/// Keras 3.15's name of a class of that version. `kind` is empty for layers, or "initializers.", "optimizers.", ...
std::string class_in_keras_3(const KerasVersion& version, std::string_view kind, const std::string& class_name);

/// The settings of a class as 3.15 has them: keys renamed, those that the version did not write added with the value
/// that it meant, those that say nothing left out. `class_name` is 3.15's. What means something that 3.15 cannot say
/// ("time_major": true) stays, for whoever reads the layer to refuse.
Json::Object settings_in_keras_3(const KerasVersion& version, std::string_view kind, const std::string& class_name,
                                 const Json::Object& settings);

/// What all of Keras 2 calls a key of 3.15's.
std::string key_in_keras_2(std::string_view kind, std::string_view class_name, const std::string& key);

}  // namespace h5bridge
