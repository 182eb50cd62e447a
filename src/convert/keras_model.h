// Between our model and what a file of Keras's holds.
#pragma once

#include <optional>

#include "convert/match_weights.h"
#include "convert/save.h"
#include "convert/tied_state.h"
#include "files/keras_h5.h"
#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// What is read of a Keras file.
struct ReadKerasFile {
  Model model;
  Ties untied;  // what settle_ties untied
};

/// The model in a Keras file. With an `architecture` of the caller's, the file's weights are matched to that: by layer
/// names, and in a file without a configuration as match_weights.h says; `beside` is the configuration that the
/// architecture was read from, if it is Keras's. Otherwise it is the one that h5bridge left in
/// the file, or else what its configuration describes. Tensors that are not there are left out: check_weights tells.
/// Throws UsageError for a file of weights alone without `architecture`.
ReadKerasFile model_from_keras(const KerasFile& file, const std::optional<Architecture>& architecture,
                               const LoadOptions& options = {}, const Json& beside = {});

/// The data format in which a file has a network: as it says itself, else as its configuration or `architecture` does.
DataFormat format_of(const KerasFile& file, const Architecture& architecture);

/// By what a file of Keras's lists variables: by layers in a .h5, by objects in Keras 3's own formats.
enum class KerasForm { Layers, Objects };

/// What to write for a model. `notes` gets what Keras has no place for. Throws UsageError if it lacks architecture or
/// weights, Unsupported for what Keras cannot say.
KerasFile keras_from_model(const Model& model, KerasForm form, const SaveOptions& options, Notes& notes);

/// The plan by which that is written.
KerasPlan keras_plan_of(const Model& model, const SaveOptions& options);

}  // namespace h5bridge
