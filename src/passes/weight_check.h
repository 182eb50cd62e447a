// Whether tensors are those that an architecture names: the one check, for files and for modules.
#pragma once

#include <string>
#include <vector>

#include "h5bridge/model.h"

namespace h5bridge {

struct WeightProblem {
  enum class Kind { Missing, Unexpected, Misshapen, Changed, Untied };
  Kind kind;
  std::string tensor;
  std::string
      detail;  // of a misshapen one: "has shape (3,), expected (4,)"; of one that is not as tied: what it differs from
};

/// What is missing, has another shape, or is no floating-point tensor where one is needed, in the architecture's order;
/// then what differs from the tensor that it is tied to.
std::vector<WeightProblem> misfits(const Architecture& architecture, const Weights& weights);

/// Throws MalformedFile naming all misfits.
void check_fit(const Architecture& architecture, const Weights& weights);

/// Throws UsageError where a model that was made or changed in C++ says of tensors whether they are trained that it
/// does not have, or that a buffer is; MalformedFile where its architecture speaks of such.
void check_names(const Model& model);

/// Throws UsageError where its optimizer has state of tensors that the model does not have.
void check_state_names(const Model& model);

/// "missing: a, b; unexpected: c; misshapen: d has shape ...".
std::string summary(const std::vector<WeightProblem>& problems);

}  // namespace h5bridge
