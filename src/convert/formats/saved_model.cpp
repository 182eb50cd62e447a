// What model.save("folder") of tf.keras writes: TensorFlow's own graph, and the weights as its checkpoint.
#include "convert/formats/folder.h"
#include "convert/formats/format.h"

namespace h5bridge {

Format saved_model_format() {
  return {
      .name = "saved-model",
      .looks_like =
          [](const SourceFile& file) {
            return folder_has(file.path(), "saved_model.pb") || folder_has(file.path(), "saved_model.pbtxt");
          },
      .is_folder = true,
      .described = "a SavedModel of TensorFlow",
      .way_out =
          "where Keras made it, tf_keras makes a .h5 of it: model = tf_keras.models.load_model(\"FOLDER\"), then "
          "model.save(\"model.h5\")",
  };
}

}  // namespace h5bridge
