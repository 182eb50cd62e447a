// Keras's .h5: of Keras 0 to 3, with configuration and training state or with weights alone.
#include "files/keras_h5.h"

#include "convert/formats/format.h"
#include "convert/formats/keras_destination.h"
#include "convert/inspection_parts.h"

namespace h5bridge {

Format keras_h5_format() {
  return {
      .name = "keras-h5",
      .suffixes = {".h5", ".hdf5"},
      .framework = Framework::Keras,
      .has_reference = true,
      .looks_like = [](const SourceFile& file) { return file.hdf5() && file.hdf5()->format == "keras-h5"; },
      .read = [](const SourceFile& file, const LoadOptions&) { return FileContent{.keras = *file.hdf5()}; },
      .inspect = [](const SourceFile& file, const LoadOptions&) { return inspect_keras_file(*file.hdf5()); },
      .write = [](const Model& model, const std::string& path, const SaveOptions& options,
                  Notes& notes) { write_keras_h5(keras_destination(model, KerasForm::Layers, options, notes), path); },
  };
}

}  // namespace h5bridge
