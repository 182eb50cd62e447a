// The scopes of an architecture: models within the model, whose layers stand among its own.
#pragma once

#include "h5bridge/architecture.h"

namespace h5bridge {

/// Throws MalformedFile where a name is used twice or for nothing that there is, a call of a scope takes another number
/// of arguments than the scope has inputs, or calls lie within each other.
void check_scopes(const Architecture& architecture);

}  // namespace h5bridge
