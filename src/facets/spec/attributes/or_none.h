// A value of another kind, or None.
#pragma once

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

/// `spec`, of which None is a value as well.
AttributeSpec nullable(AttributeSpec spec);
/// Likewise, and None is the default.
AttributeSpec or_none(AttributeSpec spec);

}  // namespace h5bridge
