// Keras 3's archive.
#include "convert/formats/format.h"
#include "convert/formats/keras_destination.h"
#include "convert/inspection_parts.h"
#include "files/keras_archive.h"

namespace h5bridge {

Format keras_format() {
  return {
      .name = "keras",
      .suffixes = {".keras"},
      .framework = Framework::Keras,
      .has_reference = true,
      .looks_like = [](const SourceFile& file) { return file.zip() && is_keras_archive(*file.zip()); },
      .read = [](const SourceFile& file,
                 const LoadOptions&) { return FileContent{.keras = read_keras_archive(*file.zip())}; },
      .inspect = [](const SourceFile& file,
                    const LoadOptions&) { return inspect_keras_file(read_keras_archive(*file.zip())); },
      .write =
          [](const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
            write_keras_archive(keras_destination(model, KerasForm::Objects, options, notes), path);
          },
  };
}

}  // namespace h5bridge
