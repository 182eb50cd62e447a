// Layers that another layer holds and calls by itself, as often as it likes: the cells that an RNN steps through time.
// They stand in no graph; their tensors are named under the attribute: "rnn.cells.0.weight_ih".
#pragma once

#include <vector>

#include "facets/spec/attributes/spec.h"

namespace h5bridge {

class LayerType;
struct ParameterSpec;

/// One layer or more, each of one of these types, in an order that the type gives a meaning to.
AttributeSpec required_layers(std::string name, std::vector<LayerType> types, std::string meaning);

/// The tensors of held layers, given those of each by its type: "cells.0.weight_ih".
std::vector<ParameterSpec> parameters_of_held(const std::string& attribute, const std::vector<LayerType>& types,
                                              const std::vector<Layer>& held);

/// Held layers in JSON, with all of their attributes.
Json layers_to_json(const std::vector<Layer>& layers);

}  // namespace h5bridge
