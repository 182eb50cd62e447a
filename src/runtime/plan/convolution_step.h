#pragma once

#include "runtime/plan/steps.h"

namespace h5bridge::plan {

/// A convolution with what is joined to it.
std::unique_ptr<Step> convolution_step(const Node& node, const Graph& graph, Copies& copies);

}  // namespace h5bridge::plan
