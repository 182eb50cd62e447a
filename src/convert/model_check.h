// Whether a model's tensors are those that its architecture names.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/model.h"
#include "passes/weight_check.h"

namespace h5bridge {

/// Throws Unsupported where a pickled module is all that there is, saying why it gives no architecture, and UsageError
/// for any other model without one.
void require_architecture(const Model& model);

/// How somebody who has the network as Python comes by an architecture, for messages. `source`: "FILE.py:CLASS".
std::string ways_to_architecture(const std::string& source = "FILE.py:CLASS");

/// All problems, in the order of the architecture. A model that lacks one of its halves has none.
std::vector<WeightProblem> weight_problems(const Model& model);

/// The tensors whose bytes are not those that their file's digests were taken of. Reads all of them.
std::vector<WeightProblem> changed_tensors(const Model& model);

/// Throws MalformedFile naming them all; unexpected tensors may be allowed.
void check_weights(const Model& model, bool allow_unexpected);

}  // namespace h5bridge
