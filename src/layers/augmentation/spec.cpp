#include "facets/spec/layer_type.h"
#include "layers/augmentation/kinds.h"

namespace h5bridge::augmentation {
namespace {

LayerType type_of(const Kind& kind) {
  LayerType type;
  type.name = kind.class_name;
  type.summary = std::string("gives its input; in training by Keras, ") + kind.change + " at random";
  type.source = "keras/src/layers/preprocessing/image_preprocessing/";
  type.attributes = {data_format(), training()};
  type.layout = follows_data_format();
  type.mask = passes_mask();
  if (kind.casts) {
    type.integers = Integers::BecomeFloats;
    type.dtypes = promotes().at_least_float();
  } else {
    type.is_identity = true;
  }
  type.samples = {{"plain", {}, {{2, 3, 5, 4}}}};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  std::vector<LayerType> types;
  for (const Kind& kind : kinds()) types.push_back(type_of(kind));
  return types;
}

}  // namespace h5bridge::augmentation
