// Which variables of a Keras model that was read hold which tensors, by the rows that read its layers and by what its
// configuration says of these. Nothing is planned: that is for what is to be written.
#pragma once

#include <optional>

#include "facets/keras/keras_plan.h"
#include "h5bridge/architecture.h"
#include "keras/bindings.h"
#include "keras/tree.h"

namespace h5bridge {

/// The bindings of `architecture`, which is in the layout of `model`; `weight_steps` are those of its LayoutChange.
/// Tied layers may be one in Keras, or have a copy each. Outputs have no names yet. nullopt where the model has other
/// layers than those that the architecture's names tell.
std::optional<KerasBindings> read_bindings(const KerasModel& model, const Architecture& architecture,
                                           const BindingMaker::WeightSteps& weight_steps);

/// What Keras calls the outputs of the model: the layers that make them, in the order of `architecture`'s outputs;
/// nullopt where there are others.
std::optional<std::vector<std::string>> output_names_in(const Json& model_config, const Architecture& architecture);

}  // namespace h5bridge
