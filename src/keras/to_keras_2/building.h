// What recipes put parts together by (keras/to_keras_2/recipes.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "h5bridge/json.h"
#include "keras/to_keras_2/parts.h"

namespace h5bridge {

/// A constant among the arguments of a call.
Json array_of(Json::Array values, const char* dtype);
void refuse_small_floats(const Json& tensor);
/// A reduction along axes that stay, with an extent of 1.
Json reduced(Parts& parts, std::string_view class_name, const Json& tensor, const std::vector<std::size_t>& axes);
/// The axes in this order.
Json moved(Parts& parts, const Json& tensor, const std::vector<std::size_t>& axes);
std::vector<std::size_t> axes_from_0(const Json& tensor);
/// Throws Unsupported where several sizes are open.
Json reshaped(Parts& parts, const Json& tensor, const Json::Array& shape);
/// The tensor's shape with another extent of an axis.
Json::Array with_extent(const Json& tensor, std::size_t axis, std::int64_t extent);
/// Whether a number is other than 0; a truth value is itself.
Json truth_of(Parts& parts, const Json& value);
/// 0 as a constant beside a tensor: a float beside floats.
Json zero_of(const Json& tensor);
/// {"class_name": "__slice__", ...}; null: from the beginning, to the end, each.
Json slice_of(const Json& start, const Json& stop, const Json& step);

}  // namespace h5bridge
