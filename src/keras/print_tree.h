// A Keras model as its configuration, in the form of Keras 3.15.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "keras/tree.h"

namespace h5bridge {

/// {"class_name": "Functional", "config": {...}}: of a model that was settled (planned_model.h).
Json::Object print_model(KerasModel model);

/// Sizes as Keras's configurations have them: null where they are open.
Json shape_config(const SymbolicShape& shape);
/// [layer, call, tensor].
Json print_history(const History& tensor);
/// {"class_name": "__keras_tensor__", ...} with no more than where it comes from.
Json print_origin(const KerasTensor& tensor);
/// What a call is given, with what `tensor` makes of each tensor.
Json print_argument(const KerasArgument& argument, const std::function<Json(const KerasTensor&)>& tensor);

/// Inputs or outputs nested as `structure`, or where there is none, or they are not as many as it has places, as Keras
/// does by itself: {"a": x, "b": y} for those with names, [x, y] for several, x alone for one.
Json nested(const std::vector<Json>& things, const std::vector<std::string>& names,
            const std::optional<Json>& structure);

}  // namespace h5bridge
