// Whether two layers that stand for each other compute the same.
#pragma once

#include <optional>
#include <string>

#include "facets/spec/layer_type.h"
#include "h5bridge/architecture.h"

namespace h5bridge {

/// How certain it is that two networks differ.
enum class Certainty {
  Certain,    // they compute different things
  Possible,   // they are put in different forms, of which nobody knows here whether they compute the same
  InTraining  // they compute the same but for training
};

struct LayerDifference {
  Certainty certainty;
  std::string attribute;  // empty: of the types
  std::string a;          // a type, or a value as JSON has it
  std::string b;
};

/// What `layer` computes, said by the most general of the types that can say it.
Layer in_general(const Layer& layer);

/// In what two layers, whose inputs have `rank` axes, differ first; what is certain comes before what is not. Axes may
/// be counted from either end, sizes that are open fit any, and numbers are equal up to what float32 makes of them.
std::optional<LayerDifference> layer_difference(const Layer& a, const Layer& b, std::size_t rank);

}  // namespace h5bridge
