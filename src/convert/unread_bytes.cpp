#include "convert/unread_bytes.h"

#include "model/checked_bytes.h"

namespace h5bridge {

void check_unread(const Model& model) {
  for (const NamedTensor& tensor : model.weights) check_rest(*tensor.tensor.source());
  if (!model.training || !model.training->optimizer) return;
  for (const auto& [name, slots] : model.training->optimizer->slots)
    for (const NamedTensor& slot : slots) check_rest(*slot.tensor.source());
  for (const NamedTensor& variable : model.training->optimizer->keras_variables) check_rest(*variable.tensor.source());
}

}  // namespace h5bridge
