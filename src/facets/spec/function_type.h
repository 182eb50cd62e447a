// Functions of PyTorch's as layer types: what their tables are made of.
#pragma once

#include <string>
#include <vector>

#include "facets/spec/layer_type.h"

namespace h5bridge {

/// A function of one input and without parameters, whose output has the input's shape; a family says what is otherwise.
LayerType function_type(std::string name, std::string summary, std::vector<AttributeSpec> attributes = {},
                        LayoutRule layout = keeps_original_layout());

}  // namespace h5bridge
