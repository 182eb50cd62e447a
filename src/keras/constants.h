// Arrays and numbers among the constants of a Keras call.
#pragma once

#include <optional>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// The layer that makes an array which Keras has serialised ("__numpy__", "__tensor__"); without a name. nullopt for
/// what is none. Throws MalformedFile, and Unsupported for elements of a type that such a layer has not.
std::optional<Layer> array_layer(const Json& constant);
/// Likewise a table of integers: lists within a list, or an array of Keras's with several axes or none.
std::optional<Layer> table_layer(const Json& constant);
/// Likewise lists of numbers or truth values, nested or not, of the type that Keras's convert_to_tensor gives them
/// (keras/src/backend/common/variables.py: float32, int32, bool).
std::optional<Layer> list_layer(const Json& constant);
/// Likewise a number or a truth value, as a tensor without axes.
std::optional<Layer> number_layer(const Json& constant);

}  // namespace h5bridge
