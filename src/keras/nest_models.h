// Puts models within a Keras model back together, whose layers stand among its own while it is planned.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"
#include "keras/tree.h"

namespace h5bridge {

/// A call of one of the architecture's scopes, with the tensors that Keras has for its values.
struct PlannedScopeCall {
  std::string name;
  std::string scope;
  std::string parent;
  std::vector<KerasTensor> arguments;
  std::vector<KerasTensor> results;
  std::vector<std::optional<KerasTensor>> masks;
  Json::Object keywords;
};

/// Makes a layer of each of `scopes` whose calls still are those of one model: what lies between its arguments and its
/// results is made by its own layers alone, in all calls alike. The layers of another stay where they are, with names
/// that begin with its own; they compute the same.
void nest(KerasModel& model, const std::vector<Scope>& scopes, std::vector<PlannedScopeCall> calls);

}  // namespace h5bridge
