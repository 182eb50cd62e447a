// Reading the files that together make one model.
#pragma once

#include "convert/tied_state.h"
#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// A model whose halves may not fit each other.
struct UncheckedModel {
  Model model;
  Ties untied;               // what was one parameter, and is several by LoadOptions::untie
  std::string disagreement;  // in what its two architectures differ; empty where they do not, or there is but one
};

/// load() without the checks that weights and architecture fit, and that two architectures are one: for `validate` and
/// `inspect`, which report what does not.
UncheckedModel load_unchecked(const std::vector<std::string>& sources, const LoadOptions& options);

}  // namespace h5bridge
