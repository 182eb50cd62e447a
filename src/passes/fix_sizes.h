// Numbers in place of the symbols that stand for open sizes (--fix-size).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// The architecture with symbols bound to numbers. Throws UsageError for a name that no input's shape has.
Architecture fix_sizes(Architecture architecture, const std::map<std::string, std::int64_t>& sizes);

}  // namespace h5bridge
