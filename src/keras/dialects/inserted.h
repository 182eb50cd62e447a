// Layers that are put into a model where one of an older Keras meant more than Keras 3's does.
#pragma once

#include <cstddef>
#include <string>

#include "h5bridge/json.h"

namespace h5bridge {

/// An entry of a model's list of layers, without calls.
Json inserted_layer(const std::string& class_name, Json::Object config, const std::string& name);

/// Calls of what is put behind `name`: as many as that has, each of one tensor.
Json calls_behind(const std::string& name, std::size_t count);

}  // namespace h5bridge
