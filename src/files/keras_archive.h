// Keras 3's archive, a .keras file (keras.src.saving.saving_lib): a zip archive of
//
//   metadata.json       {"keras_version", "date_saved"}
//   config.json         the model as an object, its layers with build_config, itself with compile_config
//   model.weights.h5    files/keras_objects.h
//   assets/             vocabularies; not read
#pragma once

#include "files/keras_file.h"
#include "files/zip.h"

namespace h5bridge {

/// What compile() was given, of Keras 3's "compile_config", as a .h5 file has it; null where it was given nothing.
Json training_config_of(const Json& compile);

bool is_keras_archive(const ZipReader& archive);

/// Reads what the archive holds; tensors stay in it until they are used, unless the weights are deflated. The training
/// configuration is as a .h5 file has it: with the optimizer as "optimizer_config". Throws MalformedFile for a damaged
/// archive, for one without weights and for names of entries that lead out of it; Unsupported for weights as .npz and
/// for variables that are no numbers.
KerasFile read_keras_archive(const ZipReader& archive);

/// The same of an archive that was unzipped to a folder, whose weights may be in several files by an index,
/// model.weights.json. Throws as read_keras_shards does, too, and SystemFailure for a file that cannot be read.
KerasFile read_keras_folder(const std::string& path);

/// Writes `file`, whose variables stand by objects, to `path` as Keras 3 would, one tensor at a time and straight into
/// the archive. Throws Unsupported as write_keras_objects does; SystemFailure if writing fails, and then leaves an
/// incomplete file.
void write_keras_archive(KerasFile file, const std::string& path);

}  // namespace h5bridge
