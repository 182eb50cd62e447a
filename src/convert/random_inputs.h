// Inputs made up for comparing two models.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "passes/presentation.h"

namespace h5bridge {

struct RandomInputs {
  std::int64_t rows = 2;  // of the batch axis, where it is open
  std::uint64_t seed = 0;
  std::map<std::string, Shape> shapes;  // of inputs by name, as presented
};

/// Normally distributed numbers; small integers for integers, and for whatever is looked up in a table, within which
/// they stay.
/// Open sizes other than the batch get one small number. Throws UsageError for a shape of no input, or one that does
/// not fit.
std::vector<NamedTensor> random_inputs(const Architecture& architecture, const Presentation& presentation,
                                       const RandomInputs& wanted);

}  // namespace h5bridge
