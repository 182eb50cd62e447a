// The outputs that somebody else made of a model's inputs.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/model.h"
#include "passes/presentation.h"

namespace h5bridge::cli {

/// What --expect gives, under the names that `looks` has; whatever the other framework, or another file of the same
/// network, calls an output is known, too. `others` gets the arrays that no output is left for.
std::vector<NamedTensor> read_expected(const std::vector<std::string>& arguments, const Model& model,
                                       const Presentation& looks, std::vector<NamedTensor>& others);

}  // namespace h5bridge::cli
