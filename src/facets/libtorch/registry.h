// The LibTorch facets of all families.
#pragma once

#include <string_view>

#include "facets/libtorch/layer.h"

namespace h5bridge {

/// The facet of a type; nullptr if LibTorch cannot run it.
const TorchLayer* find_torch_layer(std::string_view type);

/// Throws Unsupported naming the layer and its type.
TorchInstance build_layer(const Layer& layer);

/// What an instance of `layer` computes, as far as its type says so.
plan::Operation operation_of(const Layer& layer, const torch::nn::Module* module);

}  // namespace h5bridge
