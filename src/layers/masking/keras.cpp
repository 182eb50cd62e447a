#include "facets/keras/mapping.h"
#include "layers/masking/mask_steps.h"

namespace h5bridge::masking {

std::vector<KerasMapping> keras_mappings() {
  KerasMapping mapping{
      .type = "Masking", .class_name = "Masking", .attributes = {{"mask_value", "mask_value", spelling::number()}}};
  mapping.makes_mask = [](const Layer& layer) {
    return std::vector<Layer>{unequal(layer.attributes.number("mask_value")), any_of_last_axis()};
  };
  return {mapping};
}

}  // namespace h5bridge::masking
