#include "facets/keras/keras_emitter.h"

namespace h5bridge {

std::vector<KerasEmitter::Handle> KerasEmitter::inputs() const {
  std::vector<Handle> result;
  for (std::size_t i = 0; i < input_shapes().size(); ++i) result.push_back(input(i));
  return result;
}

}  // namespace h5bridge
