// The architectures of two models.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/model.h"

namespace h5bridge {

struct ArchitectureComparison {
  std::vector<std::string> differences;  // of two that have no weights to compare
  std::vector<std::string> notes;        // beside weights, which are what is compared
};

/// Nothing where one of the two has no architecture. What may be one network in two forms is a note.
ArchitectureComparison compare_architectures(const Model& a, const Model& b);

}  // namespace h5bridge
