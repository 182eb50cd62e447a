#include "convert/layout_conversion.h"

namespace h5bridge {

Model to_data_format(const Model& model, DataFormat wanted) {
  Model result = model;
  if (!model.architecture) return result;
  LayoutChange change = change_layout(*model.architecture, wanted);
  result.architecture = std::move(change.architecture);
  for (const auto& [name, steps] : change.weights) {
    if (const Tensor* tensor = model.weights.find(name)) result.weights.set(name, to_keras(steps, {*tensor}).at(0));
    if (!result.training || !result.training->optimizer) continue;
    // Slots have their parameter's shape, but for counters.
    const auto slots = result.training->optimizer->slots.find(name);
    if (slots == result.training->optimizer->slots.end()) continue;
    for (NamedTensor& slot : slots->second)
      if (slot.tensor.rank() > 0) slot.tensor = to_keras(steps, {slot.tensor}).at(0);
  }
  return result;
}

}  // namespace h5bridge
