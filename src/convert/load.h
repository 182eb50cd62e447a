// Reading the files that together make one model.
#pragma once

#include <map>
#include <string>

#include "convert/tied_state.h"
#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// A model whose halves may not fit each other.
struct UncheckedModel {
  Model model;
  Ties untied;               // what was one parameter, and is several by LoadOptions::untie
  std::string disagreement;  // in what its two architectures differ; empty where they do not, or there is but one
};

/// The words for LoadOptions::match and LoadOptions::written_by.
const std::map<std::string, LayerMatch>& layer_matches();
const std::map<std::string, KerasBackend>& keras_backends();

/// load() without the checks that weights and architecture fit, and that two architectures are one: for `validate` and
/// `inspect`, which report what does not.
UncheckedModel load_unchecked(const std::vector<std::string>& sources, const LoadOptions& options);

}  // namespace h5bridge
