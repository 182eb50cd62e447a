#include "convert/slot_check.h"

#include "h5bridge/error.h"
#include "pytorch/optimizer.h"

namespace h5bridge {
namespace {

constexpr std::string_view kCounter = "step";

void check_slot(const NamedTensor& slot, const std::string& name, const Tensor& parameter) {
  const Shape& shape = slot.tensor.shape();
  const auto refuse = [&](const std::string& expected) {
    throw MalformedFile("the optimizer's " + slot.name + " of " + name + " has shape " + to_string(shape) +
                        ", expected " + expected);
  };
  if (is_whole_slot(slot.name) && shape != parameter.shape())
    refuse(to_string(parameter.shape()) + ", its parameter's");
  if (slot.name == kCounter && slot.tensor.element_count() != 1) refuse("a single number");
}

}  // namespace

void check_slots(const Model& model) {
  if (!model.training || !model.training->optimizer) return;
  for (const auto& [name, slots] : model.training->optimizer->slots)
    if (const Tensor* parameter = model.weights.find(name))
      for (const NamedTensor& slot : slots) check_slot(slot, name, *parameter);
}

}  // namespace h5bridge
