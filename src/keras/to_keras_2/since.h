// From which TensorFlow on tf.keras has a class or takes a setting: keras/dialects/keras_2_since.def, as rows.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "h5bridge/json.h"

namespace h5bridge {

/// The first TensorFlow whose Keras has a class, 2.4.0 as 20400; nullopt if none has. `kind` is empty for layers, or
/// "initializers.", "activations.", ...
std::optional<int> class_since(std::string_view kind, std::string_view class_name);

struct KeySince {
  int first;                   // 0 where no tf.keras takes the key
  std::optional<Json> absent;  // what each does that is not given it; nullopt where they differ
};

/// Of a key that not each tf.keras takes that has the class; nullopt for all others.
std::optional<KeySince> key_since(std::string_view kind, std::string_view class_name, std::string_view key);

/// "2.4" for 20400.
std::string release_text(int release);

}  // namespace h5bridge
