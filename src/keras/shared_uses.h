// Keras's layers that stand for two of PyTorch's, which share a tensor: ReversibleEmbedding.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

struct SplitConfiguration {
  Json model;                                              // the same network, in which each layer stands for one
  std::vector<std::pair<std::string, std::string>> pairs;  // the names of two layers whose tensors are the same
};

/// `model_config` is of the form of Keras 3.15. What is called in one way only stays as it is.
SplitConfiguration split_shared_uses(Json model_config);

/// Why an entry is of a class that stands for two layers, and none of theirs; empty where it is of no such class.
std::string why_not_shared(const Json& layer);

/// Notes in the architecture that the tensors of those pairs are one.
void tie_pairs(const std::vector<std::pair<std::string, std::string>>& pairs, Architecture& architecture);

/// Notes the ties that a configuration tells of an architecture that knows nothing of them: of a layer that stands for
/// two there, and of one that it lacks.
void learn_ties(const Json& model_config, Architecture& architecture);

}  // namespace h5bridge
