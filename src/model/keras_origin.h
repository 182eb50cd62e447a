// The JSON form of what Keras says (h5bridge/keras_origin.h): the member "keras" of an architecture and of its layers.
// Nothing else knows its keys.
#pragma once

#include "h5bridge/keras_origin.h"

namespace h5bridge {

/// Keys that are not ours are among `config` then. Throws MalformedFile naming the key for a value of another kind.
KerasOrigin keras_origin_from_json(const Json::Object& json);
KerasModelOrigin keras_model_origin_from_json(const Json::Object& json);

/// What is said; empty if nothing is.
Json::Object keras_origin_to_json(const KerasOrigin& origin);
Json::Object keras_model_origin_to_json(const KerasModelOrigin& origin);

}  // namespace h5bridge
