// What a file is, told by its content and never by its name.
#pragma once

#include <string>

#include "h5bridge/byte_source.h"
#include "h5bridge/json.h"

namespace h5bridge {

enum class SourceKind { KerasH5, KerasArchive, KerasShards, Torch, Safetensors, ShardIndex, Architecture, KerasConfig };

/// Throws Unsupported, naming the format, for files that are known but not read yet; MalformedFile for anything else.
SourceKind recognise(const ByteSourcePtr& file);

/// The FORMAT of the interface: "keras-h5" (of any HDF5 file of Keras's), "keras", "torch", "architecture";
/// "keras-config" for what model.to_json() gives.
std::string format_name(SourceKind kind);

/// What an architecture's file holds; where that is one text, as json.dumps(model.to_json()) leaves it, what it says.
Json read_keras_json(const ByteSource& file);

/// A file's text, for formats that are small; throws MalformedFile if it is larger than 256 MiB.
std::string read_text(const ByteSource& file);

}  // namespace h5bridge
