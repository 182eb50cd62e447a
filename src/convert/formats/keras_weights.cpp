// Keras 3's weights alone: one file, or an index of shards that lie beside it.
#include <filesystem>
#include <ostream>
#include <string_view>

#include "convert/formats/format.h"
#include "convert/formats/keras_destination.h"
#include "convert/formats/torch_destination.h"
#include "convert/inspection_parts.h"
#include "files/keras_objects.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

// Of ours, in which a file of weights says to what the optimizer's variables belong.
constexpr const char* kTrainingConfig = "training_config";

KerasFile read_either(const SourceFile& file) {
  KerasFile result = file.hdf5() ? *file.hdf5() : read_keras_shards(file.path(), *file.json());
  if (const Json* compiled = result.extra.find(kTrainingConfig); compiled && result.training_config.is_null())
    result.training_config = *compiled;
  return result;
}

KerasFile weights_of(const Model& model, const SaveOptions& options, Notes& notes) {
  KerasFile file = keras_destination(model, KerasForm::Objects, options, notes);
  if (!file.training_config.is_null()) file.extra.as_object().set(kTrainingConfig, file.training_config);
  file.model_config = Json();
  return file;
}

constexpr std::string_view kIndex = ".weights.json";
constexpr std::uint64_t kShardSize = std::uint64_t{5} << 30;  // as in Keras

void write_shards(const Model& model, const Destination& destination, const SaveOptions& options, Notes& notes) {
  const std::string file = std::filesystem::path(destination.name).filename().string();
  if (!file.ends_with(kIndex))
    throw UsageError(
        "SaveOptions::shard_size: Keras has several files of weights by an index called NAME.weights.json");
  const Json index = write_keras_shards(weights_of(model, options, notes), file.substr(0, file.size() - kIndex.size()),
                                        options.shard_size > 0 ? options.shard_size : kShardSize, destination.beside);
  write_stream(destination.path, [&](std::ostream& out) { out << index.dump(2) << '\n'; });
}

}  // namespace

Format keras_weights_format() {
  return {
      .name = "keras-weights",
      .suffixes = {".weights.h5", ".weights.json"},
      .framework = Framework::Keras,
      .holds = Holds::Weights,
      .has_reference = true,
      .looks_like =
          [](const SourceFile& file) { return file.hdf5() || (file.json() && is_keras_shard_index(*file.json())); },
      .read = [](const SourceFile& file, const LoadOptions&) { return FileContent{.keras = read_either(file)}; },
      .inspect = [](const SourceFile& file, const LoadOptions&) { return inspect_keras_file(read_either(file)); },
      .write = [](const Model& model, const std::string& path, const SaveOptions& options,
                  Notes& notes) { write_keras_weights(weights_of(model, options, notes), path); },
      .write_shards = write_shards,
      .shard_suffixes = {".weights.json"},
  };
}

}  // namespace h5bridge
