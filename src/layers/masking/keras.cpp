#include "facets/keras/mapping.h"

namespace h5bridge::masking {

std::vector<KerasMapping> keras_mappings() {
  return {
      {.type = "Masking", .class_name = "Masking", .attributes = {{"mask_value", "mask_value", spelling::number()}}}};
}

}  // namespace h5bridge::masking
