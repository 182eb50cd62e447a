// What a comparison of two models found, as a page that shows the first of them.
#pragma once

#include <optional>
#include <string>

#include "convert/compare.h"

namespace h5bridge {

struct FoundDifferences {
  const ArchitectureComparison& architectures;
  const WeightComparison& weights;
  const TrainingComparison& training;
  const std::optional<OutputComparison>& outputs;
};

/// Throws UsageError for a path that does not end in ".html".
void check_page_path(const std::string& path);

/// `a`, as it was compared, coloured by what it has otherwise than `b`, which is called `other`. Throws UsageError
/// where `a` has no architecture.
void write_comparison_page(const Model& a, const Model& b, const std::string& other, const FoundDifferences& found,
                           const std::string& path);

}  // namespace h5bridge
