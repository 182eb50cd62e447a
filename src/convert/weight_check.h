// Whether a model's tensors are those that its architecture names.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/model.h"

namespace h5bridge {

struct WeightProblem {
  enum class Kind { Missing, Unexpected, Misshapen, Changed };
  Kind kind;
  std::string tensor;
  std::string detail;  // of a misshapen one: "has shape (3,), expected (4,)"
};

/// All problems, in the order of the architecture. A model that lacks one of its halves has none.
std::vector<WeightProblem> weight_problems(const Model& model);

/// The tensors whose bytes are not those that their file's digests were taken of. Reads all of them.
std::vector<WeightProblem> changed_tensors(const Model& model);

/// Throws MalformedFile naming them all; unexpected tensors may be allowed.
void check_weights(const Model& model, bool allow_unexpected);

/// "missing: a, b; unexpected: c; misshapen: d has shape ...".
std::string summary(const std::vector<WeightProblem>& problems);

}  // namespace h5bridge
