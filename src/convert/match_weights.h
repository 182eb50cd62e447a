// Weights of a Keras file that has no architecture of its own, for the layers of one that stands beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "convert/save.h"
#include "facets/keras/keras_plan.h"
#include "files/keras_h5.h"
#include "h5bridge/architecture.h"
#include "h5bridge/keras_files.h"

namespace h5bridge {

/// What the architecture's own configuration says of its layers: their names in Keras's order. Empty: as planned.
using LayerOrder = std::vector<std::string>;

/// The file's layers under the architecture's names (keras/match_layers.h), which `bound` is of. A note tells where
/// names are others. Throws MalformedFile where names and order do not agree and nobody decided between them.
std::vector<KerasLayerWeights> matched_to_plan(const KerasFile& file, const KerasBindings& bound,
                                               const Architecture& architecture, const LayerOrder& order,
                                               std::optional<LayerMatch> asked, Notes& notes);

}  // namespace h5bridge
