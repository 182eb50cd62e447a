// Where an object of Keras's has layers of its own: the members of a configuration, and the classes that are models.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace h5bridge {

/// The members of a configuration that are a layer: what a wrapper wraps (layers/rnn/bidirectional.py has two), and the
/// cell of an RNN.
inline constexpr std::array<std::string_view, 4> kLayerMembers{"layer", "forward_layer", "backward_layer", "cell"};
/// The members that are a list of layers: those of a model, and the cells of StackedRNNCells.
inline constexpr std::array<std::string_view, 2> kLayerLists{"layers", "cells"};

inline bool is_layer_member(std::string_view member) { return std::ranges::count(kLayerMembers, member) > 0; }

/// Whether a class is a model of layers that its configuration lists; "Model" is what Functional was before TensorFlow
/// 2.4.
inline bool is_model_class(std::string_view class_name) {
  return class_name == "Sequential" || class_name == "Functional" || class_name == "Model";
}

}  // namespace h5bridge
