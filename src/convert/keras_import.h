// A Keras file as our model.
#pragma once

#include <optional>

#include "convert/match_weights.h"
#include "convert/tied_state.h"
#include "files/keras_h5.h"
#include "h5bridge/h5bridge.h"
#include "keras/tree.h"

namespace h5bridge {

/// What is read of a Keras file.
struct ReadKerasFile {
  Model model;
  Ties untied;  // what settle_ties untied
};

/// The model in a Keras file, of whose configuration `stated` has the layers. With an `architecture` of the caller's,
/// the file's weights are matched to that: by layer names, and in a file without a configuration as match_weights.h
/// says; `beside` is the configuration that the architecture was read from, if it is Keras's. Otherwise it is the one
/// that h5bridge left in the file, which is taken out of it, or else what its configuration describes. Tensors that are
/// not there are left out: check_weights tells.
/// Throws UsageError for a file of weights alone without `architecture`.
ReadKerasFile model_from_keras(KerasFile& file, KerasModel stated, const std::optional<Architecture>& architecture,
                               const LoadOptions& options = {}, const Json& beside = {});

}  // namespace h5bridge
