// How elements lie in memory, which no result hangs on but by its last bits: PyTorch adds up in the order in which it
// finds them.
#include "facets/spec/layer_type.h"

namespace h5bridge::memory_format {

std::vector<LayerType> layer_types() {
  LayerType type;
  type.name = "contiguous";
  type.summary = "its input, with the elements in memory in the order of the axes; Keras has none of it";
  type.source = "torch/_tensor_docs.py";
  type.dtypes = keeps();
  type.layout = any_layout();
  type.mask = passes_mask();
  type.is_identity = true;
  type.samples = {{"plain", {}, {{3, 4, 5}}}};
  return {type};
}

}  // namespace h5bridge::memory_format
