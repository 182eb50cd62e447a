#include "facets/registry.h"

namespace h5bridge {

// Each family's facets are two functions in a namespace of its own: what its layers are, and how Keras has them.
#define H5BRIDGE_FAMILY(name)                 \
  namespace name {                            \
  std::vector<LayerType> layer_types();       \
  std::vector<KerasMapping> keras_mappings(); \
  }
#include "layers/families.def"
#undef H5BRIDGE_FAMILY

std::vector<Family> all_families() {
  std::vector<Family> result;
#define H5BRIDGE_FAMILY(name) result.push_back({#name, name::layer_types(), name::keras_mappings()});
#include "layers/families.def"
#undef H5BRIDGE_FAMILY
  return result;
}

}  // namespace h5bridge
