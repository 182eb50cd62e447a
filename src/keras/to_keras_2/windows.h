// Recipes of what is made of windows: adaptive pooling, and resizing (keras/to_keras_2/recipes.h).
#pragma once

#include "h5bridge/json.h"
#include "keras/to_keras_2/parts.h"

namespace h5bridge {

void average_pool(Parts& parts, const Json::Object& config, const Json::Array& args);
void max_pool(Parts& parts, const Json::Object& config, const Json::Array& args);
/// Bicubic ones; any other is Keras 2's own.
void resizing(Parts& parts, const Json::Object& config, const Json::Array& args);
void up_sampling(Parts& parts, const Json::Object& config, const Json::Array& args);

}  // namespace h5bridge
