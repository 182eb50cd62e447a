// Layers that fall into several, which Keras 2 has.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "files/keras_file.h"
#include "h5bridge/json.h"

namespace h5bridge {

/// Whether Keras 2 says such a layer, which stands in a Sequential model or a wrapper, by several that take a graph.
bool takes_a_graph(const Json& entry);

/// Puts parts in place of the layers of a model, and of those within it, that Keras 2 has no form of and says by others
/// (keras/to_keras_2/recipes.h). Adds to `missing` what it cannot say. Returns the names of the layers whose scale is
/// the kernel of an EinsumDense now.
std::set<std::string> put_in_parts(Json& model, std::vector<std::string>& missing);

/// Their variables as that has them: "rms/scale" is "rms/kernel".
void name_kernels(std::vector<KerasVariable>& variables, const std::set<std::string>& layers);

}  // namespace h5bridge
