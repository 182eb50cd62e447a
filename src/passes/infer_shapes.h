// Checking a graph, and the shapes of all its values.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "facets/spec/layer_type.h"
#include "h5bridge/architecture.h"
#include "passes/value_table.h"

namespace h5bridge {

/// Throws MalformedFile unless names are unique, every value is made before it is used, every call fits its layer's
/// number of inputs, and there is an output. Throws Unsupported naming all layers of an unknown type.
void check_graph(const Architecture& architecture);

/// Throws MalformedFile where what is said of tensors (frozen, tied, ...) is said of one that there is not.
void check_tensor_names(const Architecture& architecture);

using Shapes = ValueTable<SymbolicShape>;

/// Those of infer_types (passes/infer_types.h): throws MalformedFile naming the layer whose input does not fit.
Shapes infer_shapes(const Architecture& architecture);

/// The architecture itself, after check_graph and infer_shapes have found nothing wrong with it.
Architecture checked(Architecture architecture);

/// The architecture with all attributes that its layers' types declare. Throws UsageError naming a layer and its
/// attribute, Unsupported for a type that is not known.
Architecture with_all_attributes(Architecture architecture);

/// The tensors that an architecture's layers need, by state_dict name, in the order of the layers.
struct NamedParameter {
  std::string name;
  ParameterSpec spec;
};
std::vector<NamedParameter> parameters_of(const Architecture& architecture);

}  // namespace h5bridge
