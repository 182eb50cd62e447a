#include "layers/keras_mapping.h"

namespace h5bridge::dropout {

std::vector<KerasMapping> keras_mappings() {
  const Correspondence rate{"p", "rate", spelling::number()};
  return {
      {.type = "Dropout", .class_name = "Dropout", .attributes = {rate}, .carried = {{"seed", nullptr}, {"noise_shape", nullptr}}},
      {.type = "Dropout2d",
       .class_name = "SpatialDropout2D",
       // Keras does not write the data format of this layer, which then is the default one.
       .attributes = {rate, {"data_format", "data_format", spelling::text(), std::string("channels_last")}},
       .carried = {{"seed", nullptr}},
       .refused = {"trainable"}},
      {.type = "AlphaDropout", .class_name = "AlphaDropout", .attributes = {rate}, .carried = {{"seed", nullptr}, {"noise_shape", nullptr}}},
  };
}

}  // namespace h5bridge::dropout
