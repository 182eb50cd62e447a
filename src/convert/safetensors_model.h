// Between our model and safetensors files: a state_dict, whose ties stand in the metadata as
// safetensors.torch.save_model notes them ({"head.weight": "tokens.weight"}: the first is not stored, and is the
// second).
#pragma once

#include <iosfwd>
#include <string>

#include "h5bridge/h5bridge.h"

namespace h5bridge {

/// The weights of a file, ties included. metadata["safetensors"] has the file's own texts.
Model model_from_safetensors(const ByteSourcePtr& file);

/// The weights of a sharded set, of safetensors or torch.save files, by its index: {"weight_map": {name: file}}. Shards
/// lie beside the index. Throws MalformedFile where a name is not in its shard, a shard has names that the index lacks,
/// or a shard is elsewhere.
Model model_from_shards(const std::string& index_path, const LoadOptions& options);

/// Writes the weights in their order; tensors that are the same view of the same bytes are stored once.
void write_safetensors(const Model& model, std::ostream& out);

}  // namespace h5bridge
