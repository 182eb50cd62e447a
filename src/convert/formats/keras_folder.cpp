// Keras 3's archive, unzipped: a folder of what is in it.
#include "convert/formats/folder.h"
#include "convert/formats/format.h"
#include "convert/inspection_parts.h"
#include "files/keras_archive.h"

namespace h5bridge {

Format keras_folder_format() {
  return {
      .name = "keras",
      .framework = Framework::Keras,
      .looks_like =
          [](const SourceFile& file) {
            return folder_has(file.path(), "config.json") &&
                   (folder_has(file.path(), "model.weights.h5") || folder_has(file.path(), "model.weights.json"));
          },
      .is_folder = true,
      .read = [](const SourceFile& file,
                 const LoadOptions&) { return FileContent{.keras = read_keras_folder(file.path())}; },
      .inspect = [](const SourceFile& file,
                    const LoadOptions&) { return inspect_keras_file(read_keras_folder(file.path())); },
  };
}

}  // namespace h5bridge
