// A network that somebody put into another model: Model(i, m(i)), Sequential([Rescaling(1 / 255), m]).
#pragma once

#include "facets/keras/keras_plan.h"
#include "keras/tree.h"

namespace h5bridge {

/// `plan` with each layer that `model` does not have itself where a model within it has it, if there is one alone of
/// that name.
KerasPlan within_inner_models(KerasPlan plan, const KerasModel& model);

}  // namespace h5bridge
