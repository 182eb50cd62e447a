// Pictures in Graphviz's language.
#pragma once

#include <string>

#include "picture/picture.h"

namespace h5bridge {

/// The picture in Graphviz's language. Names are a stranger's: whatever they hold stays text.
std::string to_dot(const Picture& picture);

}  // namespace h5bridge
