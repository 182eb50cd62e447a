// What is generated from the definitions, so that there is one truth: the contract of the architecture JSON, the
// tables of layers, optimizers and operators, and the exporter's. h5bridge_generate writes them into the repository,
// and a test compares the committed copies.
#pragma once

#include <string>

#include "facets/registry.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// The JSON Schema (draft 2020-12) of docs/architecture_json.md's form. It is closed: an unknown member, type or
/// attribute is an error. What a schema cannot say (names that are used before they are made, shapes that do not fit)
/// it leaves to the reader.
Json architecture_schema(const Registry& registry);

/// docs/layers.md: every type with its attributes, tensors and Keras classes.
std::string layers_table(const Registry& registry);

/// docs/optimizers.md: every optimizer with its settings and slots in PyTorch and Keras.
std::string optimizers_table();

/// docs/aten.md: every operator of ATen that is known, and the layer that it is.
std::string aten_table();

/// python/h5bridge/exporter/registry.py: the layers that functions are, and the tensors that functions take.
std::string exporter_table(const Registry& registry);

}  // namespace h5bridge
