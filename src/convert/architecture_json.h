// The JSON form of an architecture: docs/architecture_json.md.
#pragma once

#include "h5bridge/architecture.h"
#include "h5bridge/json.h"

namespace h5bridge {

bool looks_like_architecture(const Json& json);
/// Whether it is what Keras's model.to_json() gives.
bool looks_like_keras_config(const Json& json);

/// Throws MalformedFile, saying where, for what is not of that form. Whether the graph is sound is for
/// passes/infer_shapes.h to check.
Architecture architecture_from_json(const Json& json);
Json architecture_to_json(const Architecture& architecture);

}  // namespace h5bridge
