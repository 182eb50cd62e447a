// What a configuration of an older Keras means that no key of it says, and Keras 3 cannot say: refused, or told to the
// user. hard_sigmoid.h and weights.h mend what can be mended.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/json.h"
#include "keras/dialects/version.h"

namespace h5bridge {

/// Notes on the layers of a model in the form of Keras 3, a line each. Throws Unsupported naming all the layers that
/// certainly computed otherwise than Keras 3's do.
std::vector<std::string> changed_meanings(const KerasVersion& version, const Json::Array& layers);

}  // namespace h5bridge
