// Whether two settings are the same, where one of them may say a number in another way.
#pragma once

#include "h5bridge/json.h"

namespace h5bridge {

/// Equal, or equal as numbers: 0 is 0.0.
inline bool same_value(const Json& a, const Json& b) {
  return a == b || (a.is_number() && b.is_number() && a.as_float() == b.as_float());
}

}  // namespace h5bridge
