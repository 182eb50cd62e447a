// Parameters that are not trained: PyTorch says it of each (requires_grad), Keras of whole layers (trainable).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// What Keras says is frozen and `trainable` has as trained, a parameter of it at least, is so no more: layers, and the
/// model that holds them.
void thaw(Architecture& architecture, const std::map<std::string, bool>& trainable);

/// The architecture, thawed, with "trainable": false among what Keras says of each layer whose parameters `trainable`
/// (by their state_dict names) all has as false; one that is frozen in part stays, as Keras cannot say it. `notes` gets
/// a line for each batch normalisation, which in Keras then keeps to its running statistics in training, too.
Architecture with_frozen_layers(Architecture architecture, const std::map<std::string, bool>& trainable,
                                std::vector<std::string>& notes);

/// The names of a layer's own parameters, buffers left out.
std::vector<std::string> parameter_names(const Layer& layer);

/// Whether Keras says of the layer, or of the whole model, that it is not trained.
bool is_frozen_in_keras(const Layer& layer);
bool is_frozen_as_a_whole(const Architecture& architecture);

/// The names of all parameters that the architecture has as frozen, by name or as a layer of Keras's.
std::vector<std::string> frozen_parameters(const Architecture& architecture);
/// Those of a model, whose `trainable` counts first; sorted.
std::vector<std::string> frozen_parameters(const Architecture& architecture,
                                           const std::map<std::string, bool>& trainable);

/// Those that `frozen` names of layers of which other parameters are trained.
std::vector<std::string> partly_frozen(const Architecture& architecture);

/// The architecture whose `frozen` says what `trainable` does, as far as no layer of Keras's says it.
Architecture with_frozen_names(Architecture architecture, const std::map<std::string, bool>& trainable);

}  // namespace h5bridge
