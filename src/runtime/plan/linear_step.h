#pragma once

#include "runtime/plan/steps.h"

namespace h5bridge::plan {

/// A linear layer with what is joined to it.
std::unique_ptr<Step> linear_step(const Node& node, Copies& copies);

}  // namespace h5bridge::plan
