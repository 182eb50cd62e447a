// Whether two architectures, both as Keras has them, are one network in the same or in another form.
//
// Layers with weights are found by name, as their weights are. Between them, what has neither weights nor several
// inputs is a chain of steps; what does nothing in evaluation (dropout) is no step. Two chains with the same start
// differ for certain where steps that stand for each other do, or where one has a function that the other lacks.
// Forms of which it cannot be said here (a mean as pooling or as a reduction, a shape that is changed otherwise) only
// may differ: whoever builds a network again in the other framework puts some things otherwise.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "passes/layer_difference.h"

namespace h5bridge {

struct NetworkDifference {
  Certainty certainty;
  std::string text;  // `layer "act" has GELU here, ReLU there`
};

/// What the two are called in these texts.
struct NetworkNames {
  std::string there = "there";
  std::string here = "here";
};

/// The first difference of each certainty, in the order of the network `there`, what is certain first. Both are as
/// architecture_from_keras gives them.
std::vector<NetworkDifference> network_differences(const Architecture& there, const Architecture& here,
                                                   const NetworkNames& names = {});

}  // namespace h5bridge
