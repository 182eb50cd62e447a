// The layers that a mask is made of, as Keras makes them by itself.
#pragma once

#include "h5bridge/architecture.h"

namespace h5bridge::masking {

/// Whether an element is another than `value`.
Layer unequal(AttributeValue value);
/// Whether an element of two masks is true in both.
Layer both();
/// Whether an element of two masks is true in either.
Layer either();
/// Masks joined along their steps.
Layer one_behind_the_other();
/// Whether any element along the last axis is true.
Layer any_of_last_axis();

}  // namespace h5bridge::masking
