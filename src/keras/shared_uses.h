// Keras's layers that stand for two of PyTorch's, which share a tensor: ReversibleEmbedding.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "h5bridge/architecture.h"
#include "keras/expand.h"

namespace h5bridge {

/// The names of two layers whose tensors are the same.
using SharedPairs = std::vector<std::pair<std::string, std::string>>;

/// Makes each layer of the model stand for one of PyTorch's. What is called in one way only stays as it is. `inner`:
/// the calls of models within it, whose tensors follow.
SharedPairs split_shared_uses(KerasModel& model, std::vector<ExpandedCall>& inner);

/// Why a layer is of a class that stands for two layers, and none of theirs; empty where it is of no such class.
std::string why_not_shared(const KerasLayer& layer);

/// Notes in the architecture that the tensors of those pairs are one.
void tie_pairs(const SharedPairs& pairs, Architecture& architecture);

/// Notes the ties that a configuration tells of an architecture that knows nothing of them: of a layer that stands for
/// two there, and of one that it lacks. `stated` has its layers.
void learn_ties(const Json& model_config, const KerasModel& stated, Architecture& architecture);

}  // namespace h5bridge
