// What Keras 2 has no layer for and computes by several.
#pragma once

#include <string>

#include "h5bridge/json.h"
#include "keras/to_keras_2/parts.h"

namespace h5bridge {

/// A layer of Keras 3's, by its class, or an activation, by its name: the parts that one call of it falls into. Throws
/// Unsupported where they are none of TensorFlow's.
using Recipe = void (*)(Parts& parts, const Json::Object& config, const Json::Array& args);

/// Whether a convolution does both, which TensorFlow's does not.
bool strides_and_dilates(const Json::Object& config);

/// nullptr where there is none.
Recipe recipe_of_operation(const std::string& class_name);
Recipe recipe_of_activation(const std::string& name);
Recipe recipe_of_layer(const std::string& class_name);

/// A call of MultiHeadAttention with masks of queries, values or keys.
void attention_in_parts(Parts& parts, const Json::Object& config, const Json& node);

}  // namespace h5bridge
