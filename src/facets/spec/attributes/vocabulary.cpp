#include "facets/spec/attributes/vocabulary.h"

namespace h5bridge {

AttributeSpec data_format() {
  return deciding(Decides::Form, text("data_format", "channels_first", {"channels_first", "channels_last"},
                                      "where the channels stand; PyTorch has channels_first only"));
}

AttributeSpec fused_activation() {
  return text("activation", "linear", {},
              "a name in keras.activations, applied to the output; PyTorch has a layer of its own for it");
}

AttributeSpec activation_axis() {
  return integer("activation_axis", -1,
                 "the axis of an activation that works along one (softmax); Keras has the last one");
}

AttributeSpec training() {
  return of_call(
      deciding(Decides::Training, boolean("training", false,
                                          "Keras's: whether model(x) has it do what it does in training; predict() and "
                                          "PyTorch's eval() do not")));
}

}  // namespace h5bridge
