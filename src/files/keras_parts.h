// What is ours in Keras's files of any format: a group that Keras ignores.
//
//   /h5bridge    attribute metadata (JSON); tensors/0, tensors/1, ... with attribute name
#pragma once

#include "files/hdf5.h"
#include "files/keras_file.h"

namespace h5bridge {

inline constexpr const char* kExtraGroup = "h5bridge";

/// The JSON in an attribute; null if there is none.
Json read_json(const hdf5::Object& object, const std::string& attribute);

void read_extra(const hdf5::Group& root, KerasFile& file);
/// Takes what it writes.
void write_extra(const hdf5::NewGroup& root, KerasFile& file);

/// A tree's text in place of the tree, which is null then: of ten thousand layers, both would be much.
std::string taken_text(Json& tree);

}  // namespace h5bridge
