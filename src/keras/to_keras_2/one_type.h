// Tensors of several types that Keras computes with one another, as it casts them, and TensorFlow does not.
#pragma once

#include <string>

#include "h5bridge/json.h"
#include "keras/to_keras_2/parts.h"

namespace h5bridge {

/// Layers that hand integers on say nothing of it in Keras, which notes floats: the dtypes of their tensors as they
/// are.
void state_true_types(Json::Array& layers);

/// Whether a call of this operation takes tensors that have to be cast.
bool mixes_types(const Json& entry);

/// The arguments of a call of an operation of this class, those of another type as casts of them.
Json::Array of_one_type(Parts& parts, const std::string& class_name, const Json::Array& args);

}  // namespace h5bridge
