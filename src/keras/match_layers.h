// Which layer's weights a file's group holds, where the file has no architecture of its own.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/keras_files.h"

namespace h5bridge {

/// For each of the architecture's layers that have weights, `expected`, its place in `found`, the file's groups that
/// hold any, both in their order; nullopt for one that is not there. By names where they are the same set, otherwise by
/// order, as Keras itself loads them; where their numbers differ, by names, too, so that what is missing can be told.
/// `asked` decides without a look at the names. `fits` says whether shapes allow a pair. Throws MalformedFile where
/// names and order fit and do not agree, and nobody decided.
std::vector<std::optional<std::size_t>> match_layers(
    const std::vector<std::string>& expected, const std::vector<std::string>& found, std::optional<LayerMatch> asked,
    const std::function<bool(std::size_t expected, std::size_t found)>& fits);

}  // namespace h5bridge
