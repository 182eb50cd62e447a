// The weights of Keras 3's own formats, which stand by the way that leads from the model to an object, and by number
// (keras.src.saving.saving_lib): a file of its own (.weights.h5), or model.weights.h5 in a .keras archive.
//
//   /layers/dense/vars         attribute name; data sets 0, 1, ...: the variables that are trained, then the others
//   /layers/lstm/cell/vars     what a layer has in an attribute; "layers" is the list that the model has in one
//   /optimizer/vars             and /layers/sequential/optimizer/vars of a model within that was compiled, too
//   /vars                      of the model itself
//   /h5bridge                  ours, ignored by Keras, as in files/keras_h5.h
#pragma once

#include <functional>
#include <span>

#include "files/hdf5.h"
#include "files/keras_file.h"

namespace h5bridge {

/// Whether the file has variables in this way.
bool has_keras_objects(const hdf5::Group& root);

/// Whether the object at `path` is an optimizer, the model's or that of a model within it, or a part of one.
bool is_of_optimizer(const std::string& path);

/// Fills in `file`'s objects, its optimizer's variables ("vars/0", in their order) and what is ours. Several files are
/// the shards of one, over which an object's variables may be spread. Throws MalformedFile for what is not as above,
/// Unsupported for variables that are no numbers.
void read_keras_objects(std::span<const hdf5::Group> roots, KerasFile& file);

/// Whether `index` lists the shards of a file of weights (.weights.json): {"metadata": {"total_size": 320},
/// "weight_map": {"/layers/dense/vars": "model_00000.weights.h5"}}.
bool is_keras_shard_index(const Json& index);

/// The weights in the shards beside the index at `path`. Throws as read_keras_objects does, and MalformedFile for names
/// that lead elsewhere, and for objects that are in no shard that the index names.
KerasFile read_keras_shards(const std::string& path, const Json& index);

/// Writes them, each object's variables in their order. Throws Unsupported for what Keras could not load: variables of
/// float8, paths that occur twice. Takes what is ours.
void write_keras_objects(KerasFile& file, const hdf5::NewGroup& root);

/// The same in files of `most` bytes of variables each, NAME_00000.weights.h5 and so on, written where `place_of` says
/// that a file of that name is to be written. Gives the index that goes beside them. Throws UsageError for a variable
/// that takes more.
Json write_keras_shards(KerasFile file, const std::string& name, std::uint64_t most,
                        const std::function<std::string(const std::string&)>& place_of);

/// A file of weights alone. Throws SystemFailure if writing fails, and then leaves an incomplete file.
void write_keras_weights(KerasFile file, const std::string& path);

}  // namespace h5bridge
