// A model that is nothing but another one: Model(i, m(i)), Sequential([Input, m]).
#pragma once

#include <string>

#include "facets/keras/keras_plan.h"

namespace h5bridge {

/// The path, "m" or "outer/m", of the model that `model_config` calls once, on all of its inputs and for all of its
/// outputs in their orders, with no other layer; empty where there is none.
std::string only_model_in(const Json& model_config);

/// `plan`, which is that of the model at `path` in `model_config` by itself, as one of the whole model.
KerasPlan within_model(KerasPlan plan, const Json& model_config, const std::string& path);

}  // namespace h5bridge
