// What is handed to a model against what it takes.
#pragma once

#include <vector>

#include "passes/presentation.h"

namespace h5bridge {

/// The inputs in the order of `ports`, with their dtypes. Throws UsageError for one that is missing, unknown or given
/// twice, has another rank or other sizes (equal symbols stand for equal sizes), or a dtype that does not convert
/// without loss of meaning: floating-point numbers and integers each convert among themselves, integers to wider ones
/// only.
std::vector<Tensor> checked_inputs(const std::vector<Presentation::Port>& ports, const std::vector<NamedTensor>& given);

}  // namespace h5bridge
