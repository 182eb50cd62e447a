// Keras 3's weights alone: one file, or an index of shards that lie beside it.
#include "convert/formats/format.h"
#include "convert/formats/keras_destination.h"
#include "convert/inspection_parts.h"
#include "files/keras_objects.h"

namespace h5bridge {
namespace {

KerasFile read_either(const SourceFile& file) {
  return file.hdf5() ? *file.hdf5() : read_keras_shards(file.path(), *file.json());
}

}  // namespace

Format keras_weights_format() {
  return {
      .name = "keras-weights",
      .suffixes = {".weights.h5"},
      .framework = Framework::Keras,
      .holds = Holds::Weights,
      .looks_like =
          [](const SourceFile& file) { return file.hdf5() || (file.json() && is_keras_shard_index(*file.json())); },
      .read = [](const SourceFile& file, const LoadOptions&) { return FileContent{.keras = read_either(file)}; },
      .inspect = [](const SourceFile& file, const LoadOptions&) { return inspect_keras_file(read_either(file)); },
      .write =
          [](const Model& model, const std::string& path, const SaveOptions& options, Notes& notes) {
            write_keras_weights(keras_destination(model, KerasForm::Objects, options, notes), path);
          },
  };
}

}  // namespace h5bridge
