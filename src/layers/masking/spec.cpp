#include "facets/spec/layer_type.h"
#include "layers/masking/mask_steps.h"

namespace h5bridge::masking {

std::vector<LayerType> layer_types() {
  LayerType type;
  type.name = "Masking";
  type.summary =
      "zeros for the steps whose features all have one value; what follows may take where they are as its mask";
  type.source = "keras/src/layers/core/masking.py";
  type.attributes = {number("mask_value", 0, "the value of a step that does not count")};
  type.mask = makes_mask([](const Layer& layer) {
    return std::vector<Layer>{unequal(layer.attributes.number("mask_value")), any_of_last_axis()};
  });
  type.samples = {{"random steps", {{"mask_value", 0.5}}, {{3, 5, 2}}},
                  {"zeros and ones", {{"mask_value", 1.0}}, {{3, 7, 2}}},
                  {"one sequence", {}, {{1, 6, 1}}}};
  type.samples[1].ids_below = 2;
  return {type};
}

}  // namespace h5bridge::masking
