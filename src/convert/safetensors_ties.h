// Ties in the metadata of safetensors files, as safetensors.torch.save_model notes them: {"head.weight":
// "tokens.weight"}, of which the first is not stored, and is the second.
#pragma once

#include "h5bridge/model.h"

namespace h5bridge {

/// Of Model::metadata: the files' own texts.
inline constexpr const char* kSafetensorsMember = "safetensors";

/// A name that stands for a tensor of the file is one more name of it; all else in the metadata is for its reader.
inline void add_safetensors_ties(Model& model) {
  const Json* texts = model.metadata.find(kSafetensorsMember);
  if (!texts) return;
  for (const auto& [name, stored] : texts->as_object())
    if (const Tensor* tensor = stored.is_string() ? model.weights.find(stored.as_string()) : nullptr;
        tensor && !model.weights.find(name))
      model.weights.add(name, Tensor(*tensor));
}

}  // namespace h5bridge
