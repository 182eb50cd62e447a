// Weights alone, as Keras 2's save_weights("x.h5") writes them. Only --to asks for it; keras_h5.cpp reads it.
#include "convert/formats/format.h"
#include "convert/formats/keras_destination.h"
#include "convert/torch_notes.h"

namespace h5bridge {
namespace {

// It keeps no optimizer.
void write_keras_h5_weights(const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
  SaveOptions weights = options;
  weights.optimizer = false;
  KerasFile file = keras_destination(model, KerasForm::Layers, weights, notes);
  note_training(model, options, "", notes);
  file.model_config = Json();
  write_keras_h5(file, path);
}

}  // namespace

Format keras_h5_weights_format() {
  return {.name = "keras-h5-weights",
          .framework = Framework::Keras,
          .holds = Holds::Weights,
          .has_reference = true,
          .write = write_keras_h5_weights};
}

}  // namespace h5bridge
